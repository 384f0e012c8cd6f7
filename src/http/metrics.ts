/** What the service counts of itself, for Prometheus. Names begin with kmc_; labels never hold ids of people or devices. */
import { EXPIRING_KINDS, type Expiring } from '../domain/expiry.ts';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

const PREFIX = 'kmc_';
/** Seconds. */
const BUCKETS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** What is read when somebody asks. */
export interface ServiceFigures {
  readonly unsealed: boolean;
  readonly ready: boolean;
  readonly auditEvents: number;
  readonly auditPending: number;
  /** What ends soon; absent when the database does not answer. */
  readonly expiring: readonly Pick<Expiring, 'kind' | 'endsAt'>[] | undefined;
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

  readonly #expiring = new Gauge({
    name: `${PREFIX}expiring`,
    help: 'Things without a successor that end within the lead time of their kind',
    labelNames: ['kind'],
    registers: [this.#registry],
  });
  readonly #firstEnd = new Gauge({
    name: `${PREFIX}first_end_seconds`,
    help: 'Seconds until the first of them ends; below zero when it ended',
    labelNames: ['kind'],
    registers: [this.#registry],
  });

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
    this.#setExpiring(figures);
    return await this.#registry.metrics();
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

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name: `${PREFIX}${name}`, help, registers: [this.#registry] });
  }
}
