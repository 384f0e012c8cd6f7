/** What the service counts of itself, for Prometheus. Names begin with kmc_; labels never hold ids of people or devices. */
import { ALARM_KIND_NAMES, type AlarmCondition } from '../domain/supervision/alarms.ts';
import { EXPIRING_KINDS, type Expiring } from '../domain/expiry.ts';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { PoolStatus } from '../flows/pools/list-pools.ts';

const PREFIX = 'kmc_';
/** Seconds. */
const BUCKETS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** What is read when somebody asks. */
export interface ServiceFigures {
  readonly unsealed: boolean;
  readonly ready: boolean;
  readonly auditEvents: number;
  readonly auditPending: number;
  readonly pools: readonly PoolStatus[];
  /** Escrowed keys that do not open. */
  readonly keyFaults: number;
  readonly breakGlassOpen: boolean;
  readonly breakGlassUnreviewed: number;
  readonly issuancePaused: boolean;
  /** What ends soon; absent when the database does not answer. */
  readonly expiring: readonly Pick<Expiring, 'kind' | 'endsAt'>[] | undefined;
  /** Open alarms; absent when the database does not answer. */
  readonly alarms: readonly Pick<AlarmCondition, 'kind'>[] | undefined;
  readonly now: Date;
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #requests = new Counter({
    name: `${PREFIX}http_requests_total`,
    help: 'Answers by operation and status',
    labelNames: ['operation', 'status'],
    registers: [this.#registry],
  });
  readonly #seconds = new Histogram({
    name: `${PREFIX}http_request_seconds`,
    help: 'Seconds from the request to its answer',
    labelNames: ['operation'],
    buckets: BUCKETS,
    registers: [this.#registry],
  });
  readonly #refusals = new Counter({
    name: `${PREFIX}http_refusals_total`,
    help: 'Refusals by error code',
    labelNames: ['code'],
    registers: [this.#registry],
  });
  readonly #unsealed = this.#gauge('keystore_unsealed', '1 while the keystore is open');
  readonly #ready = this.#gauge('ready', '1 while the service is ready');
  readonly #auditEvents = this.#gauge('audit_events', 'Audit events with a place in the tree');
  readonly #auditPending = this.#gauge('audit_pending_events', 'Audit events that wait for a place in the tree');

  readonly #poolKeys = this.#gauge('pool_keys', 'Keys in a pool by state', ['pool', 'state']);
  readonly #poolMarks = this.#gauge('pool_mark', 'Marks of a pool that policy states', ['pool', 'mark']);
  readonly #poolLow = this.#gauge('pool_below_low', '1 while a pool is below its low mark', ['pool']);
  readonly #keyFaults = this.#gauge('escrowed_key_faults', 'Escrowed keys that do not open');
  readonly #breakGlassOpen = this.#gauge('break_glass_open', '1 while a break-glass session lasts');
  readonly #breakGlassUnreviewed = this.#gauge(
    'break_glass_unreviewed',
    'Ended break-glass sessions without two reviews',
  );
  readonly #issuancePaused = this.#gauge('issuance_paused', '1 while issuance is paused');
  readonly #expiring = this.#gauge(
    'expiring',
    'Things without a successor that end within the lead time of their kind',
    ['kind'],
  );
  readonly #alarms = this.#gauge('alarms', 'Open alarms of supervision', ['kind']);
  readonly #firstEnd = this.#gauge(
    'first_end_seconds',
    'Seconds until the first of them ends; below zero when it ended',
    ['kind'],
  );

  constructor() {
    collectDefaultMetrics({ register: this.#registry, prefix: PREFIX });
  }

  /** Media type of `text`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  answered(operation: string, status: number, seconds: number): void {
    this.#requests.inc({ operation, status: String(status) });
    this.#seconds.observe({ operation }, seconds);
  }

  refused(code: string): void {
    this.#refusals.inc({ code });
  }

  /** The text exposition format of Prometheus. */
  async text(figures: ServiceFigures): Promise<string> {
    this.#unsealed.set(figures.unsealed ? 1 : 0);
    this.#ready.set(figures.ready ? 1 : 0);
    this.#auditEvents.set(figures.auditEvents);
    this.#auditPending.set(figures.auditPending);
    this.#keyFaults.set(figures.keyFaults);
    for (const { name: pool, rule, spare, generated, belowLow } of figures.pools) {
      this.#poolKeys.set({ pool, state: 'spare' }, spare);
      this.#poolKeys.set({ pool, state: 'generated' }, generated);
      this.#poolMarks.set({ pool, mark: 'low' }, rule.low);
      this.#poolMarks.set({ pool, mark: 'high' }, rule.high);
      this.#poolLow.set({ pool }, belowLow ? 1 : 0);
    }
    this.#breakGlassOpen.set(figures.breakGlassOpen ? 1 : 0);
    this.#breakGlassUnreviewed.set(figures.breakGlassUnreviewed);
    this.#issuancePaused.set(figures.issuancePaused ? 1 : 0);
    this.#setExpiring(figures);
    this.#setAlarms(figures);
    return await this.#registry.metrics();
  }

  #setAlarms({ alarms }: ServiceFigures): void {
    if (alarms === undefined) return;
    for (const kind of ALARM_KIND_NAMES) {
      this.#alarms.set({ kind }, alarms.filter((alarm) => alarm.kind === kind).length);
    }
  }

  #setExpiring({ expiring, now }: ServiceFigures): void {
    if (expiring === undefined) return;
    this.#firstEnd.reset();
    for (const kind of EXPIRING_KINDS) {
      const ends = expiring.filter((each) => each.kind === kind).map(({ endsAt }) => endsAt.getTime());
      this.#expiring.set({ kind }, ends.length);
      if (ends.length > 0) this.#firstEnd.set({ kind }, (Math.min(...ends) - now.getTime()) / 1000);
    }
  }

  #gauge(name: string, help: string, labelNames: readonly string[] = []): Gauge {
    return new Gauge({ name: `${PREFIX}${name}`, help, labelNames, registers: [this.#registry] });
  }
}
