/** What the HTTP layer asks of the composition: flows with their ports already given. */
import type { Caller, DeviceCaller } from '../domain/caller.ts';
import type { ReceivedSignature, SignedRequestParts } from '../domain/http-signature.ts';
import type { ErrorCode } from '../errors.ts';
import type { AuthenticatedRequest, NonceSource } from '../flows/access/authenticate-request.ts';
import type { StoredReply } from '../flows/ports/idempotency.ts';
import type { RateLimiter } from './rate-limit.ts';

/** A refusal worth an audit event (authenticated) or a count (anonymous). */
export interface Refusal {
  readonly caller: Caller;
  readonly code: ErrorCode;
  /** `none` when no route was reached. */
  readonly operationId: string;
  readonly requestId: string;
}

/** What a refusal offers for the next try: a nonce, and the time of the service, for callers whose clock is wrong. */
export interface OfferedMoment {
  readonly nonce: string;
  readonly at: Date;
}

export interface HttpPorts {
  /** Names (`host` or `host:port`, lower case) under which callers reach the service, besides the listeners' own addresses. */
  readonly authorities: readonly string[];
  readonly limits: { readonly source: RateLimiter; readonly identity: RateLimiter; readonly application: RateLimiter };
  /** True while the keystore is not open: the API then answers E_SEALED, except for what opens it. */
  isSealed(): boolean;
  /** Finds and verifies the signer, then burns the nonce. @throws KmcError E_UNAUTHENTICATED, E_TIME. */
  authenticate(
    received: ReceivedSignature,
    parts: SignedRequestParts,
    nonceOf: NonceSource,
  ): Promise<AuthenticatedRequest>;
  /** Who reads through the session of a browser. @throws KmcError E_UNAUTHENTICATED. */
  sessionCaller(secret: string): Promise<Caller>;
  /** A nonce for one request under that keyid. */
  offerNonce(keyid: string): Promise<OfferedMoment>;
  /**
   * The device whose certificate (DER) that is; undefined when it is none of this service.
   * @throws KmcError E_FORBIDDEN when it is not in force, or its device not in service.
   */
  deviceOf(certificate: Buffer): Promise<DeviceCaller | undefined>;
  /** Runs `work` once per caller, key and body for 24 h. @throws KmcError E_CONFLICT for another body. */
  answerOnce(
    scope: { readonly caller: string; readonly key: string; readonly bodyDigest: string },
    work: () => Promise<StoredReply>,
  ): Promise<StoredReply>;
  /** The break-glass session that lasts, if one does. */
  breakGlass(): Promise<{ readonly session: string; readonly until: Date } | undefined>;
  /** Before a sealed account does anything: the act goes into the chain of its session. Nothing for other callers. */
  recordGlassAct(caller: Caller, operationId: string, path: string, requestId: string): Promise<void>;
  recordRefusal(refusal: Refusal): Promise<void>;
  /** The service's own log: one line per fault of ours, never a secret. A cause that is `fatal` seals and stops the service. */
  logFault(entry: { readonly requestId: string; readonly operationId: string; readonly cause: unknown }): void;
  /** Counts an answer. */
  answered(operationId: string, status: number, seconds: number): void;
}
