/**
 * Figures (监管数字): what people read, computed from the totals for one day and one period. The same totals, day and period
 * always give the same figures, in the same order.
 */
import { DEVICE_STATUSES } from '../device.ts';
import { MEASURES, NONE, type FigureCell, type Measure } from './measures.ts';

export interface FigurePeriod {
  /** What stands is told as of this day, YYYY-MM-DD in UTC. A certificate is valid through the day of its notAfter. */
  readonly day: string;
  /** What happened is told of these days, both included. */
  readonly from: string;
  readonly to: string;
  /** A certificate that ends before this many days are over is about to expire. */
  readonly expiringDays: number;
}

type Statuses = Record<(typeof DEVICE_STATUSES)[number], number>;

/** The numbers of one part of the estate, or of all of it. */
export interface FigureSums {
  readonly certificates: {
    readonly valid: number;
    readonly held: number;
    /** Of those that are valid. */
    readonly expiring: number;
    readonly issued: number;
    readonly imported: number;
    readonly revoked: number;
    readonly suspended: number;
    readonly released: number;
  };
  readonly devices: Readonly<Statuses>;
  readonly enrolments: {
    readonly completed: number;
    readonly renewed: number;
    readonly refused: number;
    readonly expired: number;
    readonly waiting: number;
  };
  readonly requests: { readonly created: number; readonly waiting: number };
  readonly keys: {
    readonly made: number;
    readonly given: number;
    readonly recovered: number;
    readonly recoveredJudicial: number;
    readonly compromised: number;
    readonly destroyed: number;
    readonly broken: number;
  };
}

/** The part that one name stands for: a region, an authority, a profile, an algorithm, a model, a day. */
export interface NamedSums {
  readonly name: string;
  readonly sums: FigureSums;
}

export interface Figures {
  readonly period: FigurePeriod;
  readonly total: FigureSums;
  readonly regions: readonly NamedSums[];
  readonly registrationAuthorities: readonly NamedSums[];
  readonly profiles: readonly NamedSums[];
  /** Key algorithm of the issuing authority: RSA before the upgrade, SM2 after it. */
  readonly algorithms: readonly NamedSums[];
  /** Of devices. */
  readonly models: readonly NamedSums[];
  /** Days of the period on which something happened; what stands is 0 in them. */
  readonly days: readonly NamedSums[];
  readonly revocations: Readonly<Record<string, number>>;
  readonly refusals: Readonly<Record<string, number>>;
  readonly crlsIssued: number;
  readonly accessRefused: number;
  /** Events that could not be booked, since they are from before they said enough. */
  readonly unattributed: number;
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };
type Sums = { -readonly [Part in keyof FigureSums]: Writable<FigureSums[Part]> };

function noSums(): Sums {
  return {
    certificates: { valid: 0, held: 0, expiring: 0, issued: 0, imported: 0, revoked: 0, suspended: 0, released: 0 },
    devices: Object.fromEntries(DEVICE_STATUSES.map((status) => [status, 0])) as Statuses,
    enrolments: { completed: 0, renewed: 0, refused: 0, expired: 0, waiting: 0 },
    requests: { created: 0, waiting: 0 },
    keys: { made: 0, given: 0, recovered: 0, recoveredJudicial: 0, compromised: 0, destroyed: 0, broken: 0 },
  };
}

/** Where a measure stands in the sums; those that are not here stand elsewhere in the figures. */
const PLACES: Partial<Record<Measure, (sums: Sums, value: number) => void>> = {
  'certificate.issued': ({ certificates }, value) => (certificates.issued += value),
  'certificate.imported': ({ certificates }, value) => (certificates.imported += value),
  'certificate.revoked': ({ certificates }, value) => (certificates.revoked += value),
  'certificate.suspended': ({ certificates }, value) => (certificates.suspended += value),
  'certificate.released': ({ certificates }, value) => (certificates.released += value),
  'certificate.live': ({ certificates }, value) => (certificates.valid += value),
  'certificate.held': ({ certificates }, value) => (certificates.held += value),
  'device.registered': ({ devices }, value) => (devices.registered += value),
  'device.in-service': ({ devices }, value) => (devices['in-service'] += value),
  'device.suspended': ({ devices }, value) => (devices.suspended += value),
  'device.quarantined': ({ devices }, value) => (devices.quarantined += value),
  'device.decommissioned': ({ devices }, value) => (devices.decommissioned += value),
  'enrolment.completed': ({ enrolments }, value) => (enrolments.completed += value),
  'enrolment.renewed': ({ enrolments }, value) => (enrolments.renewed += value),
  'enrolment.refused': ({ enrolments }, value) => (enrolments.refused += value),
  'enrolment.expired': ({ enrolments }, value) => (enrolments.expired += value),
  'enrolment.waiting': ({ enrolments }, value) => (enrolments.waiting += value),
  'request.created': ({ requests }, value) => (requests.created += value),
  'request.waiting': ({ requests }, value) => (requests.waiting += value),
  'key.made': ({ keys }, value) => (keys.made += value),
  'key.given': ({ keys }, value) => (keys.given += value),
  'key.recovered': ({ keys }, value) => (keys.recovered += value),
  'key.recovered-judicial': ({ keys }, value) => (keys.recoveredJudicial += value),
  'key.compromised': ({ keys }, value) => (keys.compromised += value),
  'key.destroyed': ({ keys }, value) => (keys.destroyed += value),
  'key.broken': ({ keys }, value) => (keys.broken += value),
};

/** Sums by one name each, in the order of names. */
class Parts {
  readonly #parts = new Map<string, Sums>();

  of(name: string): Sums {
    const part = this.#parts.get(name) ?? noSums();
    this.#parts.set(name, part);
    return part;
  }

  named(): NamedSums[] {
    return [...this.#parts.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, sums]) => ({ name, sums }));
  }
}

/** The last day on which a certificate that ends then counts as about to expire. */
export function expiringUntil({ day, expiringDays }: Pick<FigurePeriod, 'day' | 'expiringDays'>): string {
  return addDays(day, expiringDays);
}

/** The day so many days later; both YYYY-MM-DD. */
export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

/** True when a cell counts for the period: a level always, what happened on its days, what ends not before its day. */
function countsFor(period: FigurePeriod, { measure, day }: Pick<FigureCell, 'measure' | 'day'>): boolean {
  const kind = MEASURES[measure];
  if (kind === 'level') return true;
  return kind === 'end' ? day >= period.day : day >= period.from && day <= period.to;
}

function sorted(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts.entries()].sort(([a], [b]) => (a < b ? -1 : 1)));
}

class FiguresSum {
  readonly #period: FigurePeriod;
  readonly #until: string;
  readonly #total = noSums();
  readonly #parts = {
    regions: new Parts(),
    registrationAuthorities: new Parts(),
    profiles: new Parts(),
    algorithms: new Parts(),
    models: new Parts(),
    days: new Parts(),
  };
  readonly #labels = { revocations: new Map<string, number>(), refusals: new Map<string, number>() };
  readonly #apart: Partial<Record<Measure, number>> = {};

  constructor(period: FigurePeriod) {
    this.#period = period;
    this.#until = expiringUntil(period);
  }

  add(cell: FigureCell): void {
    if (!countsFor(this.#period, cell)) return;
    const { measure, value } = cell;
    const place = PLACES[measure];
    if (place === undefined) {
      this.#apart[measure] = (this.#apart[measure] ?? 0) + value;
      return;
    }
    for (const sums of [this.#total, ...this.#partsOf(cell)]) {
      place(sums, value);
      if (measure === 'certificate.live' && cell.day <= this.#until) sums.certificates.expiring += value;
    }
    const labels =
      measure === 'certificate.revoked'
        ? this.#labels.revocations
        : measure === 'enrolment.refused'
          ? this.#labels.refusals
          : undefined;
    labels?.set(cell.label, (labels.get(cell.label) ?? 0) + value);
  }

  #partsOf({ measure, day, region, registrar, profile, algorithm, label }: FigureCell): Sums[] {
    const { regions, registrationAuthorities, profiles, algorithms, models, days } = this.#parts;
    return [
      regions.of(region),
      ...(registrar === NONE ? [] : [registrationAuthorities.of(registrar)]),
      ...(profile === NONE ? [] : [profiles.of(profile)]),
      ...(algorithm === NONE ? [] : [algorithms.of(algorithm)]),
      ...(measure.startsWith('device.') ? [models.of(label)] : []),
      ...(MEASURES[measure] === 'flow' ? [days.of(day)] : []),
    ];
  }

  figures(): Figures {
    const { regions, registrationAuthorities, profiles, algorithms, models, days } = this.#parts;
    return {
      period: this.#period,
      total: this.#total,
      regions: regions.named(),
      registrationAuthorities: registrationAuthorities.named(),
      profiles: profiles.named(),
      algorithms: algorithms.named(),
      models: models.named(),
      days: days.named(),
      revocations: sorted(this.#labels.revocations),
      refusals: sorted(this.#labels.refusals),
      crlsIssued: this.#apart['crl.issued'] ?? 0,
      accessRefused: this.#apart['access.refused'] ?? 0,
      unattributed: this.#apart.unattributed ?? 0,
    };
  }
}

/** The figures of a day and a period. Cells that do not count for it may be among `cells`. */
export function figuresOf(cells: Iterable<FigureCell>, period: FigurePeriod): Figures {
  const sum = new FiguresSum(period);
  for (const cell of cells) sum.add(cell);
  return sum.figures();
}
