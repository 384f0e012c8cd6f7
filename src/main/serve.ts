/** The running service: listeners, the keeper of the audit log, and the regular work. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Environment } from '../config/environment.ts';
import { KmcError } from '../errors.ts';
import { RefusalTally } from '../domain/audit/refusals.ts';
import { watchAlarms } from '../flows/alarms/watch-alarms.ts';
import { KeyUseTally } from '../domain/key-use-tally.ts';
import { keepAuditLog } from '../flows/audit/log/keep-audit-log.ts';
import { actionHandlers } from '../flows/action-handlers.ts';
import { GlassSight } from '../flows/break-glass/glass-state.ts';
import { writeUseCounts } from '../flows/data/write-use-counts.ts';
import { keepHouse } from '../flows/housekeeping/keep-house.ts';
import { fetchDueAuthorities } from '../flows/supervised-authorities/fetch-due-authorities.ts';
import { keepPools } from '../flows/pools/keep-pools.ts';
import { listenForCas } from '../http/ca-kmc-listener.ts';
import { Metrics } from '../http/metrics.ts';
import { DEFAULT_RATE_LIMITS } from '../http/rate-limit.ts';
import { allRoutes } from '../http/routes/index.ts';
import { createRepositoryClient } from '../http/repository-client.ts';
import { httpPorts, type ServedInstance } from '../http/served-instance.ts';
import { createApplication, listen, type Application, type Listener } from '../http/server.ts';
import { checkPolicy } from '../flows/policy/check-policy.ts';
import type { OpenedInstance } from './open-instance.ts';
import { consoleFiles } from './console-files.ts';
import { listenForProxy } from './private-socket.ts';
import { PRODUCT_VERSION } from './product-version.ts';
import { OPENSSL_VERIFIER } from './openssl-verifier.ts';
import { TlsSide } from './tls-side.ts';

export interface RunningService {
  /** Address of the plain listener. */
  readonly url: string;
  /** Address at which CAs speak GM/T 0014 over TCP, where that is set. */
  readonly caUrl: string | undefined;
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
/** Between two looks at the key pools. */
const POOLS_MS = 5_000;
/** Between two looks at supervised authorities. Apart from the housekeeping: a repository may take its time. */
const SUPERVISION_MS = 30_000;
const UNSEAL_POLL_MS = 250;

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

/** The key pools, with a line in the log when one falls below its low mark and when it is above it again. */
async function fillPools(instance: OpenedInstance, signal: AbortSignal, log: ServiceLog): Promise<void> {
  await keepPools(instance, {
    pauseMs: POOLS_MS,
    signal,
    alarm(pool, isLow, { spare }) {
      if (isLow) log.fault(`the key pool ${pool} is below its low mark: ${spare} keys are left`, undefined);
      else log.info(`the key pool ${pool} is above its low mark again`);
    },
    trouble: (error) => log.fault('the key pools wait', error),
  });
}

function servedInstance(instance: OpenedInstance, state: LogState): ServedInstance {
  return {
    ...instance,
    version: PRODUCT_VERSION,
    console: consoleFiles(),
    handlers: actionHandlers(instance),
    links: OPENSSL_VERIFIER,
    tally: new RefusalTally(),
    uses: new KeyUseTally(),
    metrics: new Metrics(),
    repositories: createRepositoryClient({ loopback: instance.environment === 'development' }),
    glass: new GlassSight(instance),
    isAuditBlocked: () => state.blocked,
  };
}

/** Before the end: what is not written now is told of as lost, a quarter of an hour later. */
async function accountForUses(served: ServedInstance, log: ServiceLog): Promise<void> {
  if (served.keystore.state !== 'UNSEALED') return;
  await writeUseCounts(served, true).catch((error: unknown) => log.fault('write-use-counts', error));
}

/** Asks the supervised authorities whose time has come, and looks at what is worth an alarm. */
async function superviseRound(served: ServedInstance, log: ServiceLog): Promise<void> {
  if (served.keystore.state !== 'UNSEALED') return;
  try {
    const { fetched, failed } = await fetchDueAuthorities(served, { type: 'system', id: served.node });
    if (failed > 0) log.info(`${failed} of ${fetched} supervised authorities gave nothing that is good`);
    const { raised, cleared } = await watchAlarms(served, { type: 'system', id: served.node });
    for (const { kind, subject, says } of raised) log.fault(`ALARM ${kind} ${subject}: ${says}`, undefined);
    for (const { kind, subject } of cleared) log.info(`alarm ${kind} ${subject} is over`);
  } catch (error) {
    log.fault('supervision', error);
  }
}

/** Certificates keep their addresses for years: an operator should know when they lead elsewhere. */
function warnOfAddress(environment: Environment, { policies }: OpenedInstance, url: string, log: ServiceLog): void {
  const published = new URL(policies.publication.crl).host;
  if ([new URL(url).host, ...environment.authorities].includes(published)) return;
  log.info(
    `certificates name ${published} for CRLs (policies/addresses.yaml), which is not an address of this service`,
  );
}

function withoutPort(authority: string): string {
  return authority.replace(/:\d+$/, '');
}

/** One private socket for each registered proxy. */
async function listenForProxies(
  { proxies }: Environment,
  application: Application,
  log: ServiceLog,
): Promise<readonly Listener[]> {
  const listeners: Listener[] = [];
  for (const proxy of proxies) {
    listeners.push(await listenForProxy(application, proxy));
    log.info(`the proxy ${proxy.name} is served on its socket`);
  }
  return listeners;
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
  const plain = await listen(createApplication(routes, ports, 'plain'), environment.listen);
  warnOfAddress(environment, instance, plain.url, log);
  const cas = environment.caListen === undefined ? undefined : await listenForCas(served, ports, environment.caListen);
  const fronts = await listenForProxies(environment, createApplication(routes, ports, 'proxy'), log);
  const hosts = [environment.tlsListen.host, 'localhost', ...environment.authorities.map(withoutPort)];
  const tls = new TlsSide(instance, hosts, async (identity) => {
    const listener = await listen(createApplication(routes, ports, 'tls'), environment.tlsListen, identity);
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
  const background = [
    repeat(UNSEAL_POLL_MS, stop.signal, tlsRound),
    repeat(HOUSEKEEPING_MS, stop.signal, houseRound),
    repeat(SUPERVISION_MS, stop.signal, () => superviseRound(served, log)),
    ...(environment.poolFill ? [fillPools(instance, stop.signal, log)] : []),
  ];
  const ended = keepLog(instance, state, stop.signal, log).catch((error: unknown) => {
    instance.keystore.seal();
    throw error instanceof KmcError ? error : new KmcError('E_INTERNAL', 'The audit log stopped.', { cause: error });
  });
  return {
    url: plain.url,
    caUrl: cas?.url,
    tlsUrl: () => tls.url,
    ended,
    async close() {
      stop.abort();
      await Promise.allSettled([...background, ended]);
      await Promise.all([plain.close(), tls.close(), cas?.close(), ...fronts.map((front) => front.close())]);
      await accountForUses(served, log);
    },
  };
}
