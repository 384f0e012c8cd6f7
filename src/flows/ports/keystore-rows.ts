/**
 * The sealed keys of the service keystore (security-and-faults 2.1). Every write names the epoch of the manifest that
 * the node holds and returns false when the database has another: a node with old files cannot write.
 */
import type { KeyAlgorithmName } from '../../crypto/algorithm-names.ts';
import type { KekPurpose } from '../../crypto/engine.ts';

/** `current` seals and opens, `previous` opens only, `destroyed` has no blob. One is current per purpose. */
export type SealedKekState = 'current' | 'previous' | 'destroyed';

export interface SealedKekRow {
  readonly purpose: KekPurpose;
  readonly version: number;
  readonly state: SealedKekState;
  /** Blob suite 1 under the master key; absent once destroyed. */
  readonly blob: Buffer | undefined;
  readonly keyCheckValue: Buffer;
  /** `objectVersion` of the blob; rises with each sealing. */
  readonly objectVersion: number;
  readonly createdAt: Date;
}

/** `crl-only` signs CRLs and no certificates, `retired` signs nothing, `destroyed` has no blob. */
export type SealedCaKeyState = 'active' | 'crl-only' | 'retired' | 'destroyed';

export interface SealedCaKeyRow {
  readonly keyId: string;
  readonly version: number;
  readonly algorithm: KeyAlgorithmName;
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly spkiSm3: string;
  /** What the blob is bound to, e.g. `sign`. */
  readonly usage: string;
  readonly state: SealedCaKeyState;
  /** Blob suite 1 under the `ca-keys` key of `kekVersion`; absent once destroyed. */
  readonly blob: Buffer | undefined;
  readonly kekVersion: number;
  readonly objectVersion: number;
  readonly createdAt: Date;
}

export interface Resealing {
  readonly blob: Buffer;
  readonly kekVersion: number;
}

export interface KeystoreRowReader {
  /** All versions, by purpose and version. */
  keks(): Promise<SealedKekRow[]>;
  kek(purpose: KekPurpose, version: number): Promise<SealedKekRow | undefined>;
  caKeys(): Promise<SealedCaKeyRow[]>;
  /** The newest version of the key. */
  caKey(keyId: string): Promise<SealedCaKeyRow | undefined>;
  caKeyBySpki(spkiSm3: string): Promise<SealedCaKeyRow | undefined>;
}

export interface KeystoreRowWriter extends KeystoreRowReader {
  /** Adds a version as the current one; the one that was current becomes `previous`. @throws KmcError E_CONFLICT. */
  addKek(
    row: Omit<SealedKekRow, 'state' | 'objectVersion'> & { readonly blob: Buffer },
    epoch: number,
  ): Promise<boolean>;
  /** Puts a blob sealed anew under another master key in the place of object version `from`. */
  resealKek(purpose: KekPurpose, version: number, from: number, blob: Buffer, epoch: number): Promise<boolean>;
  /** Drops the blob of a `previous` key. What was sealed under it is lost. */
  destroyKek(purpose: KekPurpose, version: number, epoch: number): Promise<boolean>;
  /** @throws KmcError E_CONFLICT when the key id and version, or the key itself, stands there already. */
  addCaKey(
    row: Omit<SealedCaKeyRow, 'state' | 'objectVersion'> & { readonly blob: Buffer },
    epoch: number,
  ): Promise<boolean>;
  /** As `resealKek`, under another `ca-keys` key. */
  resealCaKey(keyId: string, version: number, from: number, to: Resealing, epoch: number): Promise<boolean>;
  /** Compare-and-set on the state; `destroyed` drops the blob. */
  setCaKeyState(
    keyId: string,
    version: number,
    from: SealedCaKeyState,
    to: SealedCaKeyState,
    epoch: number,
  ): Promise<boolean>;
}
