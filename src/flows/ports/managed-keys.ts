/** Managed keys and their versions. A managed key belongs to the KMC: there is no owner and no recovery. */
import type { KeyState, KeyStore } from '../../domain/key-state.ts';
import type { ManagedKeyKindName } from '../../domain/managed-key.ts';
import type { Page } from './database.ts';
import type { KeyTransition } from './escrowed-keys.ts';

export interface ManagedKeyRow {
  readonly id: string;
  /** For people. */
  readonly name: string;
  readonly kind: ManagedKeyKindName;
  readonly origin: 'generated' | 'imported';
  /** May leave, wrapped, under dual control. Fixed when the key is made. */
  readonly exportable: boolean;
  /** Uses that protect, of each version, at the most. */
  readonly useLimit: number | undefined;
  /** Number of the version that protects. */
  readonly currentNumber: number;
  /** Rises by one with every change of the row. */
  readonly version: number;
  readonly createdAt: Date;
  readonly changedAt: Date;
  readonly lastAuditEvent: string;
}

export interface ManagedKeyVersionRow {
  readonly id: string;
  readonly keyId: string;
  /** 1, 2, ... */
  readonly number: number;
  readonly state: KeyState;
  readonly store: KeyStore;
  /** Rises by one with every change of the row, but for a resealing. */
  readonly version: number;
  /** `sm3:<hex>` of the public key; of a symmetric key SM3 of its check value. */
  readonly kid: string;
  /** subjectPublicKeyInfo, DER; absent for a symmetric key. */
  readonly spki: Buffer | undefined;
  readonly spkiSm3: string | undefined;
  /** Blob suite 1 under the `db-field` key of `kekVersion`; absent once destroyed. */
  readonly sealedKey: Buffer | undefined;
  readonly kekVersion: number;
  readonly objectVersion: number;
  readonly createdAt: Date;
  /** Its crypto-period begins there. */
  readonly activatedAt: Date;
  readonly changedAt: Date;
  readonly stateReason: string | undefined;
  readonly compromisedAt: Date | undefined;
  readonly destroyAfter: Date | undefined;
  readonly lastAuditEvent: string;
}

/** A key with its versions, the first one first. */
export interface ManagedKey extends ManagedKeyRow {
  readonly versions: readonly ManagedKeyVersionRow[];
}

export interface ManagedKeyReader {
  find(id: string): Promise<ManagedKey | undefined>;
  findVersion(id: string): Promise<ManagedKeyVersionRow | undefined>;
  list(page: Page): Promise<ManagedKey[]>;
  /** Versions in the destruction window whose end is reached, the earliest first. */
  due(at: Date, limit: number): Promise<ManagedKeyVersionRow[]>;
  /** How many blobs there are under that version of the `db-field` key. */
  countSealedUnder(kekVersion: number): Promise<number>;
  /** Versions sealed under an earlier version of the `db-field` key than that. */
  sealedBefore(kekVersion: number, limit: number): Promise<ManagedKeyVersionRow[]>;
}

export interface ManagedKeyWriter extends ManagedKeyReader {
  /** @throws KmcError E_CONFLICT when it, or its public key, stands there already. */
  insert(key: ManagedKeyRow, version: ManagedKeyVersionRow): Promise<void>;
  /** Puts the next version into the place of the current one: compare-and-set on version and number of the key. */
  addVersion(
    from: Pick<ManagedKeyRow, 'id' | 'version' | 'currentNumber'>,
    version: ManagedKeyVersionRow,
    auditEvent: string,
  ): Promise<boolean>;
  /** Compare-and-set on state and version; the store follows the state, and a destroyed version loses its blob. */
  transition(transition: KeyTransition): Promise<boolean>;
  /** Puts a blob sealed under another key in the place of object version `from`. */
  reseal(
    id: string,
    from: number,
    to: { readonly sealedKey: Buffer; readonly kekVersion: number },
    auditEvent: string,
  ): Promise<boolean>;
}
