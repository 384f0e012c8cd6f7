/** The running service: listeners, the keeper of the audit log, and the regular work. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Environment } from '../config/environment.ts';
import { KmcError } from '../errors.ts';
import { RefusalTally } from '../domain/audit/refusals.ts';
import { keepAuditLog } from '../flows/audit/keep-audit-log.ts';
import { actionHandlers } from '../flows/action-handlers.ts';
import { GlassSight } from '../flows/break-glass/glass-state.ts';
import { issueServiceTls } from '../flows/certificates/issue-service-tls.ts';
import { keepHouse } from '../flows/housekeeping/keep-house.ts';
import { Metrics } from '../http/metrics.ts';
import { DEFAULT_RATE_LIMITS } from '../http/rate-limit.ts';
import { allRoutes } from '../http/routes/index.ts';
import { httpPorts, type ServedInstance } from '../http/served-instance.ts';
import { createApplication, listen, type Listener, type TlsIdentity } from '../http/server.ts';
import { checkPolicy } from '../flows/policy/check-policy.ts';
import type { OpenedInstance } from './open-instance.ts';
import { PRODUCT_VERSION } from './product-version.ts';

export interface RunningService {
  /** Address of the plain listener. */
  readonly url: string;
  /** Address of the HTTPS listener, once the keystore was unsealed. */
  tlsUrl(): string | undefined;
  /** Resolves when the service has ended; rejects with the fault that ended it. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

export interface ServiceLog {
  info(message: string): void;
  fault(message: string, cause: unknown): void;
}

const HOUSEKEEPING_MS = 30_000;
const UNSEAL_POLL_MS = 250;
/** A TLS certificate is replaced when this part of its life is over. */
const TLS_RENEWAL = 0.5;

type StartTls = (identity: TlsIdentity) => Promise<Listener>;

/** HTTPS starts when the keystore is open for the first time, and takes a new certificate in good time. */
class TlsSide {
  #listener: Listener | undefined;
  #renewAt = 0;
  readonly #start: StartTls;
  readonly #instance: OpenedInstance;
  readonly #hosts: readonly string[];

  constructor(instance: OpenedInstance, hosts: readonly string[], start: StartTls) {
    this.#instance = instance;
    this.#hosts = hosts;
    this.#start = start;
  }

  get url(): string | undefined {
    return this.#listener?.url;
  }

  async refresh(): Promise<void> {
    const now = this.#instance.clock.now().getTime();
    if (this.#instance.keystore.state !== 'UNSEALED' || now < this.#renewAt) return;
    const identity = await issueServiceTls(this.#instance, this.#hosts);
    this.#renewAt = now + (identity.notAfter.getTime() - now) * TLS_RENEWAL;
    if (this.#listener === undefined) this.#listener = await this.#start(identity);
    else this.#listener.setCertificate(identity);
  }

  async close(): Promise<void> {
    await this.#listener?.close();
  }
}

/** Runs `work` again and again, with a pause between, until told to stop; resolves after the round under way. */
async function repeat(milliseconds: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await work();
    await pause(milliseconds, undefined, { signal }).catch(() => undefined);
  }
}

/** What the keeper of the log last said of it. */
interface LogState {
  blocked: boolean;
}

/** Sequencing and signing from the moment that the log's key exists. */
async function keepLog(instance: OpenedInstance, state: LogState, signal: AbortSignal, log: ServiceLog): Promise<void> {
  let ports = await instance.audit.ports();
  while (ports === undefined && !signal.aborted) {
    await pause(UNSEAL_POLL_MS, undefined, { signal }).catch(() => undefined);
    ports = await instance.audit.ports();
  }
  if (ports === undefined) return;
  await keepAuditLog(ports, {
    signer: () => instance.audit.signer(),
    report: ({ quarantined, overdue, blocked }) => {
      state.blocked = blocked || overdue.length > 0;
      if (quarantined.length > 0) log.fault(`${quarantined.length} audit events are not the service's own`, undefined);
      if (overdue.length > 0) log.fault(`${overdue.length} audit events are missing from the log`, undefined);
    },
    trouble: (error) => {
      state.blocked = true;
      log.fault('the audit log waits', error);
    },
    signal,
  });
}

function servedInstance(instance: OpenedInstance, state: LogState): ServedInstance {
  return {
    ...instance,
    version: PRODUCT_VERSION,
    handlers: actionHandlers(instance),
    tally: new RefusalTally(),
    metrics: new Metrics(),
    glass: new GlassSight(instance),
    isAuditBlocked: () => state.blocked,
  };
}

/** Certificates keep their addresses for years: an operator should know when they lead elsewhere. */
function warnOfAddress(environment: Environment, { policies }: OpenedInstance, url: string, log: ServiceLog): void {
  const published = new URL(policies.publication.crl).host;
  if ([new URL(url).host, ...environment.authorities].includes(published)) return;
  log.info(
    `certificates name ${published} for CRLs (policies/addresses.yaml), which is not an address of this service`,
  );
}

/**
 * Starts the service of an instance.
 * @throws KmcError E_POLICY when the policy files are not those in force; E_CONFIG when an address is taken.
 */
export async function serve(
  environment: Environment,
  instance: OpenedInstance,
  log: ServiceLog,
): Promise<RunningService> {
  await checkPolicy(instance);
  const stop = new AbortController();
  const state: LogState = { blocked: false };
  const served = servedInstance(instance, state);
  const routes = allRoutes(served);
  const ports = httpPorts(served, {
    authorities: environment.authorities,
    limits: DEFAULT_RATE_LIMITS,
    logFault: ({ requestId, operationId, cause }) => log.fault(`${requestId} ${operationId}`, cause),
  });
  const plain = await listen(createApplication(routes, ports, false), environment.listen);
  warnOfAddress(environment, instance, plain.url, log);
  const tls = new TlsSide(instance, [environment.tlsListen.host, 'localhost'], async (identity) => {
    const listener = await listen(createApplication(routes, ports, true), environment.tlsListen, identity);
    log.info(`HTTPS on ${listener.url}`);
    return listener;
  });
  const tlsRound = () => tls.refresh().catch((error: unknown) => log.fault('https', error));
  const houseRound = async () => {
    const { open, unreviewed, issuancePaused } = await served.glass.state();
    if (open !== undefined)
      log.fault(`BREAK-GLASS: session ${open.session} lasts until ${open.until.toISOString()}`, undefined);
    for (const { session, due } of unreviewed)
      log.fault(`break-glass session ${session} waits for review, due ${due.toISOString()}`, undefined);
    if (issuancePaused) log.fault('issuance is paused', undefined);
    for (const { job, cause } of await keepHouse(served)) log.fault(job, cause);
  };
  const background = [repeat(UNSEAL_POLL_MS, stop.signal, tlsRound), repeat(HOUSEKEEPING_MS, stop.signal, houseRound)];
  const ended = keepLog(instance, state, stop.signal, log).catch((error: unknown) => {
    instance.keystore.seal();
    throw error instanceof KmcError ? error : new KmcError('E_INTERNAL', 'The audit log stopped.', { cause: error });
  });
  return {
    url: plain.url,
    tlsUrl: () => tls.url,
    ended,
    async close() {
      stop.abort();
      await Promise.allSettled([...background, ended]);
      await Promise.all([plain.close(), tls.close()]);
    },
  };
}
