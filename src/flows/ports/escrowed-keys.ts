/**
 * Escrowed encryption keys and the pool they come from (security-and-faults 3.1). Signing keys cannot stand here: the
 * table holds the usage `encryption` and nothing else.
 */
import type { KeyAlgorithmName } from '../../crypto/algorithm-names.ts';
import type { KeyState, KeyStore } from '../../domain/key-state.ts';
import type { Page } from './database.ts';

export interface EscrowedKeyRow {
  readonly id: string;
  readonly algorithm: KeyAlgorithmName;
  readonly state: KeyState;
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
  /** The generation run it came from; `on-demand` for one that was made for its owner. */
  readonly batchId: string;
  readonly owner: KeyOwner | undefined;
  readonly createdAt: Date;
  readonly activatedAt: Date | undefined;
  /** When it came to its present state. */
  readonly changedAt: Date;
  /** Why it came there, where a word says it, e.g. `certificateHold` or `expired`. */
  readonly stateReason: string | undefined;
  /** When it was marked compromised; it stays, whatever becomes of the key. */
  readonly compromisedAt: Date | undefined;
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
  /** `sm3:<hex>` of the signing key that the private key was first enveloped to; of an imported key, its own. */
  readonly recipientSpkiSm3: string;
  readonly deviceId: string | undefined;
}

export interface KeyTransition {
  readonly id: string;
  readonly from: { readonly state: KeyState; readonly version: number };
  readonly to: KeyState;
  readonly at: Date;
  readonly destroyAfter?: Date;
  readonly reason?: string;
  readonly auditEvent: string;
}

export interface EscrowedKeyFilter {
  readonly state?: KeyState;
  readonly store?: KeyStore;
  readonly algorithm?: KeyAlgorithmName;
  readonly deviceId?: string;
  readonly authorityId?: string;
}

export interface EscrowedKeyCount {
  readonly algorithm: KeyAlgorithmName;
  readonly state: KeyState;
  readonly count: number;
}

export interface EscrowedKeyReader {
  find(id: string): Promise<EscrowedKeyRow | undefined>;
  findByKey(spkiSm3: string): Promise<EscrowedKeyRow | undefined>;
  findByCertificate(authorityId: string, certificateSerial: string): Promise<EscrowedKeyRow | undefined>;
  /** A key that the authority was given for that user, that is no device's and has no certificate yet. */
  appliedFor(user: Pick<KeyOwner, 'authorityId' | 'recipientSpkiSm3' | 'subject'>): Promise<EscrowedKeyRow | undefined>;
  list(filter: EscrowedKeyFilter, page: Page): Promise<EscrowedKeyRow[]>;
  /** One row for each algorithm and state that occurs. */
  counts(): Promise<EscrowedKeyCount[]>;
  /** How many keys of the algorithm stand in that state. */
  count(algorithm: KeyAlgorithmName, state: KeyState): Promise<number>;
  /**
   * A spare key of the algorithm: the first whose `spkiSm3` follows `from`, round the whole pool; no key with a recorded
   * fault. Public keys are spread evenly, so that callers with random starts rarely choose the same one.
   */
  spare(algorithm: KeyAlgorithmName, from: string): Promise<EscrowedKeyRow | undefined>;
  /** Keys in the destruction window whose end is reached, the earliest first. */
  due(at: Date, limit: number): Promise<EscrowedKeyRow[]>;
  /** Keys in use that were activated before that time, the oldest first. */
  activatedBefore(at: Date, limit: number): Promise<EscrowedKeyRow[]>;
  /** How many blobs there are under that version of the `escrow-store` key. */
  countSealedUnder(kekVersion: number): Promise<number>;
  /** Keys that are sealed under an earlier version of the `escrow-store` key than that; none with a recorded fault. */
  sealedBefore(kekVersion: number, limit: number): Promise<EscrowedKeyRow[]>;
}

export interface EscrowedKeyWriter extends EscrowedKeyReader {
  /** All or nothing. @throws KmcError E_CONFLICT when an id or a public key stands there already. */
  insertAll(rows: readonly EscrowedKeyRow[]): Promise<void>;
  /**
   * Takes each spare key for the owner that it names, and makes it active; 1 to 50 in one statement. Of any number of
   * callers that chose the same key, one gets it.
   * @returns false when one of them is spare no longer: then the transaction must not be committed.
   * @throws KmcError E_CONFLICT when an owner's serial has a key already.
   */
  claim(...keys: readonly (EscrowedKeyRow & { readonly owner: KeyOwner })[]): Promise<boolean>;
  /** Says whose device an active key is, once: compare-and-set on version. False when it is a device's already. */
  bindDevice(id: string, version: number, deviceId: string, auditEvent: string): Promise<boolean>;
  /** Compare-and-set on state and version; the store follows the state, and a destroyed key loses its blob. */
  transition(transition: KeyTransition): Promise<boolean>;
  /** Every spare key of the algorithm to `compromised`, for that reason. @returns how many. */
  withholdSpare(algorithm: KeyAlgorithmName, reason: string, at: Date, auditEvent: string): Promise<number>;
  /** Puts a blob sealed under another key in the place of object version `from`. */
  reseal(
    id: string,
    from: number,
    to: { readonly sealedKey: Buffer; readonly kekVersion: number },
    auditEvent: string,
  ): Promise<boolean>;
}
