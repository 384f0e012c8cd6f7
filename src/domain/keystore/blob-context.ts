/**
 * What each sealed blob of a keystore is bound to (security-and-faults 2.1, 2.2), in one place: a blob opens only under
 * exactly the context it was sealed under, so no blob can pass for another.
 */
import { managedKeyKind, type ManagedKeyKindName } from '../managed-key.ts';
import type { BlobContext, KekPurpose, KeyEncryptionKey, SecretHandle } from '../../crypto/engine.ts';

/** The unseal key of a share set as the wrap of a master key of this version. */
export function unsealKeyAsKek(secret: SecretHandle, masterVersion: number): KeyEncryptionKey {
  return { purpose: 'master', version: masterVersion, secret };
}

/** A master key as the wrap of key-encryption keys and of its predecessor. */
export function masterKeyAsKek(secret: SecretHandle, version: number): KeyEncryptionKey {
  return { purpose: 'master', version, secret };
}

/** A master key in its seal file, under the unseal key of the set. */
export function wrappedMasterContext(setId: string, version: number): BlobContext {
  return { keyId: `set-${setId}`, usage: 'master-key', objectVersion: version };
}

/** An earlier master key in `master/`, under the one that followed it. */
export function earlierMasterContext(version: number): BlobContext {
  return { keyId: 'earlier-master', usage: 'master-key', objectVersion: version };
}

/** A key-encryption key under the master key; `objectVersion` rises with each sealing of the same key. */
export function kekContext(purpose: KekPurpose, version: number, objectVersion: number): BlobContext {
  return { keyId: kekName(purpose, version), usage: 'kek', objectVersion };
}

/** An issuing key under a ca-keys key, as its row states it. */
export function caKeyContext({ keyId, usage, objectVersion }: BlobContext): BlobContext {
  return { keyId, usage, objectVersion };
}

/** A root key of the ceremony keystore under a root-keys key; `version`, in its file name, rises with each sealing. */
export function rootKeyContext(keyId: string, version: number): BlobContext {
  return { keyId, usage: 'sign', objectVersion: version };
}

/** An escrowed encryption key under an escrow-store key; `objectVersion` rises with each sealing. */
export function escrowedKeyContext(keyId: string, objectVersion: number): BlobContext {
  return { keyId, usage: 'encrypt', objectVersion };
}

/** A version of a managed key under a db-field key; `objectVersion` rises with each sealing. */
export function managedKeyContext(versionId: string, kind: ManagedKeyKindName, objectVersion: number): BlobContext {
  return { keyId: versionId, usage: managedKeyKind(kind).usage, objectVersion };
}

/** An enrolment token under a db-field key; it is sealed once. */
export function enrolmentTokenContext(tokenId: string): BlobContext {
  return { keyId: tokenId, usage: 'token', objectVersion: 1 };
}

/** One part of a backup under a backup key: `place` counts from 1, and only the last part is the end. */
export function backupPartContext(backupId: string, place: number, isLast: boolean): BlobContext {
  return { keyId: backupId, usage: isLast ? 'backup-end' : 'backup-part', objectVersion: place };
}

/** The name that check values and blobs call a key-encryption key by, e.g. `ca-keys-2`. */
export function kekName(purpose: KekPurpose, version: number): string {
  return `${purpose}-${version}`;
}
