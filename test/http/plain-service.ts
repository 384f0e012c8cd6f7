/** Routes on a real listener with the flows faked: for what the frame does by itself. */
import { connect } from 'node:net';
import { RefusalTally } from '../../src/domain/audit/refusals.ts';
import { KeyUseTally } from '../../src/domain/key-use-tally.ts';
import type { Caller } from '../../src/domain/caller.ts';
import type { ServedInstance } from '../../src/http/served-instance.ts';
import { Metrics } from '../../src/http/metrics.ts';
import type { HttpPorts, Refusal } from '../../src/http/ports.ts';
import { DEFAULT_RATE_LIMITS, RateLimiter, type RateLimits } from '../../src/http/rate-limit.ts';
import type { Route } from '../../src/http/route.ts';
import { createApplication, listen } from '../../src/http/server.ts';
import { POLICIES, POLICY_DIGEST } from '../domain/approval/cast.ts';

export interface PlainService {
  readonly url: string;
  readonly port: number;
  readonly refusals: Refusal[];
  readonly faults: unknown[];
  /** Who every signed request is taken to come from. */
  caller: Caller | undefined;
  sealed: boolean;
  close(): Promise<void>;
}

const NOTHING = Buffer.alloc(0);

function limitersOf(limits: RateLimits): HttpPorts['limits'] {
  return {
    source: new RateLimiter(limits.source),
    identity: new RateLimiter(limits.identity),
    application: new RateLimiter(limits.application),
  };
}

/** Starts a service. `authenticate` answers `caller`, whatever the signature. */
export async function startPlainService(
  routes: readonly Route[],
  limits: RateLimits = DEFAULT_RATE_LIMITS,
): Promise<PlainService> {
  const refusals: Refusal[] = [];
  const faults: unknown[] = [];
  const state: { caller: Caller | undefined; sealed: boolean } = { caller: undefined, sealed: false };
  const ports: HttpPorts = {
    authorities: [],
    limits: limitersOf(limits),
    isSealed: () => state.sealed,
    authenticate: () =>
      state.caller
        ? Promise.resolve({ caller: state.caller, proof: { base: NOTHING, signature: NOTHING, body: NOTHING } })
        : Promise.reject(new Error('nobody calls')),
    sessionCaller: () => Promise.reject(new Error('no browser calls')),
    offerNonce: () => Promise.resolve({ nonce: 'A'.repeat(32), at: new Date() }),
    deviceOf: () => Promise.resolve(undefined),
    answerOnce: (_scope, work) => work(),
    recordRefusal: (refusal) => Promise.resolve(void refusals.push(refusal)),
    breakGlass: () => Promise.resolve(undefined),
    recordGlassAct: () => Promise.resolve(),
    logFault: ({ cause }) => void faults.push(cause),
    answered: () => undefined,
  };
  const listener = await listen(createApplication(routes, ports, 'tls'), { host: '127.0.0.1', port: 0 });
  return Object.assign(state, {
    url: listener.url,
    port: Number(new URL(listener.url).port),
    refusals,
    faults,
    close: () => listener.close(),
  });
}

function untouchable(name: string): never {
  throw new Error(`this test must not come to ${name}`);
}

type Filling = Partial<Pick<ServedInstance, 'database' | 'clock' | 'engine' | 'keystore'>>;

/** An instance whose policies are there, with what a test gives: no route may come to anything else. */
export function hollowInstance(given: Filling = {}): ServedInstance {
  return {
    id: 'kmc-test',
    environment: 'development',
    environmentName: 'development/kmc-test',
    node: 'node-1',
    clock: given.clock ?? { now: () => new Date('2026-12-01T08:00:00Z') },
    policies: POLICIES,
    policyDigest: POLICY_DIGEST,
    version: '0.1.0',
    console: new Map(),
    handlers: {},
    links: { name: 'none', accepts: () => Promise.resolve(true) },
    tally: new RefusalTally(),
    uses: new KeyUseTally(),
    metrics: new Metrics(),
    repositories: { get: () => untouchable('a repository') },
    glass: { state: () => Promise.resolve({ unreviewed: [], issuancePaused: false }), forget: () => undefined },
    isAuditBlocked: () => false,
    audit: {
      origin: 'kmc.test/audit',
      certificate: () => untouchable('the log'),
      ports: () => untouchable('the log'),
      signer: () => untouchable('the log'),
    },
    database: given.database ?? {
      read: async () => untouchable('the database'),
      snapshot: async () => untouchable('the database'),
      transaction: async () => untouchable('the database'),
    },
    databaseCopy: { schema: [], copy: async () => untouchable('the database') },
    backupFiles: {
      create: () => untouchable('the backups'),
      exists: () => untouchable('the backups'),
      size: () => untouchable('the backups'),
      piece: () => untouchable('the backups'),
      read: () => untouchable('the backups'),
    },
    get engine() {
      return given.engine ?? untouchable('the engine');
    },
    get keystore() {
      return given.keystore ?? untouchable('the keystore');
    },
  };
}

/** A signature field that is well-formed and means nothing. */
export const SOME_SIGNATURE = {
  signature: `gw=:${Buffer.alloc(64, 1).toString('base64')}:`,
  'signature-input': (withContent: boolean): string =>
    `gw=("@method" "@authority" "@path" "@query"${withContent ? ' "content-type" "content-digest"' : ''})` +
    `;created=1790000000;expires=1790000120;nonce="c2VydmVyLW5vbmNlLTAwMDE";keyid="sm3:${'A'.repeat(43)}";tag="kmc-gw-v1"`,
  'content-digest': `sm3=:${Buffer.alloc(32).toString('base64')}:`,
};

/** Headers of a request that the plain service takes to be signed. */
export function seeminglySigned(withContent: boolean): Record<string, string> {
  return {
    signature: SOME_SIGNATURE.signature,
    'signature-input': SOME_SIGNATURE['signature-input'](withContent),
    ...(withContent ? { 'content-digest': SOME_SIGNATURE['content-digest'] } : {}),
  };
}

export interface RawAnswer {
  readonly text: string;
  /** The service closed the connection. */
  readonly closed: boolean;
}

/** Sends octets as they are and collects what comes until the service closes, or `wait` milliseconds have passed. */
export function sendRaw(port: number, octets: Buffer, wait = 3_000): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write(octets));
    const finish = (closed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text: Buffer.concat(chunks).toString('latin1'), closed });
    };
    const timer = setTimeout(() => finish(false), wait);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => finish(true));
    socket.on('close', () => finish(true));
  });
}

/** The status lines in what a service answered. */
export function statusesOf(answer: RawAnswer): number[] {
  return [...answer.text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
}
