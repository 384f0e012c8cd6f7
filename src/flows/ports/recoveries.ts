/** Recovered keys: one row for each time that an escrowed key left the escrow, with the envelope it left in. */
import type { KeyState } from '../../domain/key-state.ts';
import type { RecoveryKind } from '../../domain/recovery.ts';
import type { Page } from './database.ts';

export interface RecoveryRow {
  readonly id: string;
  readonly kind: RecoveryKind;
  readonly keyId: string;
  /** The approved request, always for a judicial recovery. */
  readonly requestId: string | undefined;
  /** Id of the judicial case. */
  readonly caseId: string | undefined;
  readonly recipientSpkiSm3: string;
  /** The evidence certificate, DER. */
  readonly recipientCertificate: Buffer | undefined;
  /** SM2EnvelopedKey (GM/T 0009), DER: nobody but the recipient opens it. */
  readonly envelopedKey: Buffer;
  /** State of the key when it was recovered: a compromised one is recovered with that warning. */
  readonly keyState: KeyState;
  readonly recoveredAt: Date;
  readonly auditEvent: string;
}

export interface RecoveryFilter {
  readonly kind?: RecoveryKind;
  readonly keyId?: string;
  readonly caseId?: string;
  readonly requestId?: string;
}

export interface RecoveryReader {
  find(id: string): Promise<RecoveryRow | undefined>;
  list(filter: RecoveryFilter, page: Page): Promise<RecoveryRow[]>;
}

export interface RecoveryWriter extends RecoveryReader {
  /** @throws KmcError E_CONFLICT when the id stands there already. */
  insert(row: RecoveryRow): Promise<void>;
}
