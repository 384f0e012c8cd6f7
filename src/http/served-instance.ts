/** An instance as the service shows it: with the acts that it does, and what it counts of itself. */
import { isBreakGlassOperation } from '../domain/break-glass.ts';
import type { RefusalTally } from '../domain/audit/refusals.ts';
import type { KeyUseTally } from '../domain/key-use-tally.ts';
import type { AuditSource } from '../domain/audit/event.ts';
import { answerOnce } from '../flows/access/answer-once.ts';
import { authenticateRequest } from '../flows/access/authenticate-request.ts';
import { deviceOfCertificate } from '../flows/access/device-of-certificate.ts';
import { offerNonce } from '../flows/access/offer-nonce.ts';
import type { ActionHandlers } from '../flows/approvals/action-handler.ts';
import { recordRefusal } from '../flows/audit/refusals/record-refusal.ts';
import { sessionCaller } from '../flows/console/session-caller.ts';
import { recordGlassAct } from '../flows/break-glass/record-glass-act.ts';
import type { GlassSight } from '../flows/break-glass/glass-state.ts';
import type { Instance } from '../flows/instance.ts';
import type { LinkVerifier } from '../flows/ports/link-verifier.ts';
import type { KeyUseBlock } from '../flows/ports/key-uses.ts';
import type { RepositorySource } from '../flows/ports/repository-source.ts';
import type { Metrics } from './metrics.ts';
import type { HttpPorts } from './ports.ts';
import { RateLimiter, type RateLimits } from './rate-limit.ts';

/** Files of the console by name, with their media types. */
export type ConsoleFiles = ReadonlyMap<string, { readonly type: string; readonly body: Buffer }>;

export interface ServedInstance extends Instance {
  /** Of the product. */
  readonly version: string;
  readonly console: ConsoleFiles;
  readonly handlers: ActionHandlers;
  /** Another program that looks at the certificates of a root upgrade. */
  readonly links: LinkVerifier;
  readonly tally: RefusalTally;
  /** Uses of managed keys that are not written yet. */
  readonly uses: KeyUseTally<KeyUseBlock>;
  readonly metrics: Metrics;
  /** Where other authorities publish. */
  readonly repositories: RepositorySource;
  readonly glass: Pick<GlassSight, 'state' | 'forget'>;
  /** True when the audit log does not advance: events wait for a key, or are missing from the checkpoints. */
  isAuditBlocked(): boolean;
}

export interface ServingOptions {
  /** `host` or `host:port` under which callers reach the service besides its listeners' own addresses. */
  readonly authorities: readonly string[];
  readonly limits: RateLimits;
  /** One line for each fault of ours. */
  readonly logFault: HttpPorts['logFault'];
}

/** What the HTTP layer asks, answered by the flows on this instance. */
export function httpPorts(instance: ServedInstance, { authorities, limits, logFault }: ServingOptions): HttpPorts {
  const { metrics } = instance;
  return {
    authorities,
    limits: {
      source: new RateLimiter(limits.source),
      identity: new RateLimiter(limits.identity),
      application: new RateLimiter(limits.application),
    },
    isSealed: () => instance.keystore.state !== 'UNSEALED',
    authenticate: (received, parts, nonceOf) => authenticateRequest(instance, received, parts, nonceOf),
    sessionCaller: (secret) => sessionCaller(instance, secret),
    offerNonce: async (keyid) => ({ nonce: (await offerNonce(instance, keyid)).nonce, at: instance.clock.now() }),
    deviceOf: (certificate) => deviceOfCertificate(instance, certificate),
    answerOnce: (scope, work) => answerOnce(instance, scope, work),
    breakGlass: async () => (await instance.glass.state()).open,
    async recordGlassAct(caller, operation, path, requestId) {
      if (caller.type !== 'sealed-account' || !isBreakGlassOperation(operation)) return;
      await recordGlassAct(instance, caller, { operation, target: path.replace(/^\//, ''), requestId });
    },
    async recordRefusal(refusal) {
      metrics.refused(refusal.code);
      await recordRefusal(instance, refusal);
    },
    logFault,
    answered: (operationId, status, seconds) => metrics.answered(operationId, status, seconds),
  };
}

/** Where an audit event of a request came from. */
export function auditSourceOf(instance: Pick<Instance, 'node'>, requestId: string): AuditSource {
  return { node: instance.node, request: requestId };
}
