/**
 * Escrowed encryption keys and the pool they come from (security-and-faults 3.1). Signing keys cannot stand here: the
 * table holds the usage `encryption` and nothing else.
 */
import type { KeyAlgorithmName } from '../../crypto/algorithm-names.ts';
import type { Page } from './database.ts';

/** The three stores of GM/T 0034 (备用库, 在用库, 历史库), and the tombstones of destroyed keys. The state decides. */
export type KeyStore = 'standby' | 'in-use' | 'history' | 'tombstone';

export type EscrowedKeyState =
  | 'generated'
  | 'spare'
  | 'active'
  | 'suspended'
  | 'deactivated'
  | 'compromised'
  | 'destroy-pending'
  | 'destroyed'
  | 'destroyed-compromised';

export interface EscrowedKeyRow {
  readonly id: string;
  readonly algorithm: KeyAlgorithmName;
  readonly state: EscrowedKeyState;
  readonly store: KeyStore;
  /** Rises by one with every change of the row, but for a resealing. */
  readonly version: number;
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly spkiSm3: string;
  /** Blob suite 1 under the `escrow-store` key of `kekVersion`; absent once destroyed. */
  readonly sealedKey: Buffer | undefined;
  readonly kekVersion: number;
  readonly objectVersion: number;
  /** The generation run it came from. */
  readonly batchId: string;
  readonly owner: KeyOwner | undefined;
  readonly createdAt: Date;
  readonly activatedAt: Date | undefined;
  /** When it came to its present state. */
  readonly changedAt: Date;
  /** End of the destruction window. */
  readonly destroyAfter: Date | undefined;
  readonly lastAuditEvent: string;
}

/** Who the key was given to. `certificateSerial` is the handle of GM/T 0014 (userCertNo), unique per authority. */
export interface KeyOwner {
  readonly authorityId: string;
  readonly certificateSerial: string;
  /** Name, DER. */
  readonly subject: Buffer;
  /** `sm3:<hex>` of the signing key that the private key was first enveloped to. */
  readonly recipientSpkiSm3: string;
  readonly deviceId: string | undefined;
}

export interface KeyTransition {
  readonly id: string;
  readonly from: { readonly state: EscrowedKeyState; readonly version: number };
  readonly to: EscrowedKeyState;
  readonly at: Date;
  readonly destroyAfter?: Date;
  readonly auditEvent: string;
}

export interface EscrowedKeyFilter {
  readonly state?: EscrowedKeyState;
  readonly store?: KeyStore;
  readonly algorithm?: KeyAlgorithmName;
  readonly deviceId?: string;
  readonly authorityId?: string;
}

export interface EscrowedKeyCount {
  readonly algorithm: KeyAlgorithmName;
  readonly state: EscrowedKeyState;
  readonly count: number;
}

export interface EscrowedKeyReader {
  find(id: string): Promise<EscrowedKeyRow | undefined>;
  findByKey(spkiSm3: string): Promise<EscrowedKeyRow | undefined>;
  findByCertificate(authorityId: string, certificateSerial: string): Promise<EscrowedKeyRow | undefined>;
  list(filter: EscrowedKeyFilter, page: Page): Promise<EscrowedKeyRow[]>;
  /** One row for each algorithm and state that occurs. */
  counts(): Promise<EscrowedKeyCount[]>;
  /** Keys that are sealed under that version of the `escrow-store` key, in the order of ids: the cursor of a rewrap. */
  sealedUnder(kekVersion: number, page: Page): Promise<EscrowedKeyRow[]>;
}

export interface EscrowedKeyWriter extends EscrowedKeyReader {
  /** All or nothing. @throws KmcError E_CONFLICT when an id or a public key stands there already. */
  insertAll(rows: readonly EscrowedKeyRow[]): Promise<void>;
  /**
   * Takes the oldest spare key of the algorithm for the owner and makes it active. Of two callers that race for the last
   * one, one gets it and the other gets nothing.
   * @throws KmcError E_CONFLICT when the owner's serial has a key already.
   */
  takeSpare(
    algorithm: KeyAlgorithmName,
    owner: KeyOwner,
    at: Date,
    auditEvent: string,
  ): Promise<EscrowedKeyRow | undefined>;
  /** Compare-and-set on state and version; the store follows the state, and a destroyed key loses its blob. */
  transition(transition: KeyTransition): Promise<boolean>;
  /** Puts a blob sealed under another key in the place of object version `from`. */
  reseal(
    id: string,
    from: number,
    to: { readonly sealedKey: Buffer; readonly kekVersion: number },
    auditEvent: string,
  ): Promise<boolean>;
}
