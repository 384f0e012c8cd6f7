/** One request of a message on its way to its response: the slow part is done before the transaction, the rest in it. */
import type { AuditActor, AuditSource } from '../../domain/audit/event.ts';
import type { CaKmcError } from '../../domain/ca-kmc-error.ts';
import type { KeyServiceResponse } from '../../x509/ca-kmc/response.ts';
import type { Transaction } from '../ports/database.ts';
import type { KmcIdentity } from './kmc-identity.ts';
import type { RegisteredAuthority } from './registered-authority.ts';

/** What all requests of one message have in common. */
export interface MessageScene {
  readonly authority: RegisteredAuthority;
  readonly identity: KmcIdentity;
  readonly at: Date;
  readonly actor: AuditActor;
  readonly source: AuditSource;
}

export interface PreparedResponse {
  readonly response: KeyServiceResponse;
  /** Writes what the response promises; may run again. */
  record(tx: Transaction): Promise<void>;
  /** Gives up what was set aside for it in this process, once it is recorded or dropped. */
  release?(): void;
}

/** A prepared response, or why the request is refused. */
export type Prepared = PreparedResponse | CaKmcError;
