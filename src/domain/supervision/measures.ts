/** What supervision counts, and how a count lies in time: the one table of measures. */
import { DEVICE_STATUSES } from '../device.ts';

/**
 * `flow` is booked on the day of the event. `end` stands on the day of a notAfter: what is valid on a day is the sum over
 * that day and all later ones, so that nothing has to happen when a certificate expires. `level` has no day: it is what
 * stands now.
 */
export type MeasureKind = 'flow' | 'end' | 'level';

export const MEASURES = {
  /** Label: none. */
  'certificate.issued': 'flow',
  'certificate.imported': 'flow',
  /** Label: the reason. */
  'certificate.revoked': 'flow',
  'certificate.suspended': 'flow',
  'certificate.released': 'flow',
  'certificate.live': 'end',
  'certificate.held': 'end',
  /** Label of the device measures: the model. */
  'device.registered': 'level',
  'device.in-service': 'level',
  'device.suspended': 'level',
  'device.quarantined': 'level',
  'device.decommissioned': 'level',
  'enrolment.completed': 'flow',
  'enrolment.renewed': 'flow',
  /** Label: the code. */
  'enrolment.refused': 'flow',
  'enrolment.expired': 'flow',
  'enrolment.waiting': 'level',
  /** Label of the request measures: the act that is asked for. */
  'request.created': 'flow',
  'request.waiting': 'level',
  /** Label: the pool, or how the key went out. */
  'key.made': 'flow',
  'key.given': 'flow',
  'key.recovered': 'flow',
  'key.recovered-judicial': 'flow',
  'key.compromised': 'flow',
  'key.destroyed': 'flow',
  'key.broken': 'flow',
  /** Label: the authority. */
  'crl.issued': 'flow',
  /** Label: the operation. */
  'access.refused': 'flow',
  /** Events that do not say enough to be booked; label: the action. */
  unattributed: 'flow',
} as const satisfies Readonly<Record<string, MeasureKind>>;

export type Measure = keyof typeof MEASURES;

export const MEASURE_NAMES = Object.keys(MEASURES) as readonly Measure[];

/** True for a name of the table. */
export function isMeasure(name: string): name is Measure {
  return Object.hasOwn(MEASURES, name);
}

/** The measures of one kind, in the order of the table. */
export function measuresOf(kind: MeasureKind): Measure[] {
  return MEASURE_NAMES.filter((measure) => MEASURES[measure] === kind);
}

/** The measure that counts the devices of that status; undefined for a word that is no status. */
export function deviceMeasure(status: string): Measure | undefined {
  const found = DEVICE_STATUSES.find((one) => one === status);
  return found === undefined ? undefined : `device.${found}`;
}

/** What one number is about. `-` stands where the event names nothing, as for certificates of the service itself. */
export interface FigureKey {
  readonly measure: Measure;
  /** YYYY-MM-DD in UTC; empty for a level. */
  readonly day: string;
  /** Code of the region. */
  readonly region: string;
  /** Id of the registration authority. */
  readonly registrar: string;
  /** Certificate profile; of devices and enrolments the device profile. */
  readonly profile: string;
  /** Key algorithm of the issuing authority: which hierarchy it is. */
  readonly algorithm: string;
  readonly label: string;
}

/** Nothing is named. */
export const NONE = '-';

/** A number and what it is about: one row of the stored totals, or what one event adds to it (which may be negative). */
export interface FigureCell extends FigureKey {
  readonly value: number;
}

const SEPARATOR = '\u001f';

/** One text for each key, for maps and for comparing; the parts hold no control characters. */
export function figureKeyText(key: FigureKey): string {
  return [key.measure, key.day, key.region, key.registrar, key.profile, key.algorithm, key.label].join(SEPARATOR);
}

/** The key as people read it, e.g. `certificate.live 2027-03-05 region 110000 profile gateway-sign`. */
export function figureKeyName(key: FigureKey): string {
  const parts = (['region', 'registrar', 'profile', 'algorithm', 'label'] as const)
    .filter((part) => key[part] !== NONE)
    .map((part) => `${part} ${key[part]}`);
  return [key.measure, ...(key.day === '' ? [] : [key.day]), ...parts].join(' ');
}
