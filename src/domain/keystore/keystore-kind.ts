/**
 * The two kinds of keystore and what each of them holds (security-and-faults 2.1): one table for purposes and for the
 * names of the files, so that no file can stand in a keystore under a name that this table does not know.
 */
import { KEK_PURPOSES, type KekPurpose } from '../../crypto/engine.ts';
import { KmcError } from '../../errors.ts';

export type KeystoreKind = 'service' | 'ceremony';

export const KEYSTORE_KINDS: readonly KeystoreKind[] = ['service', 'ceremony'];

/** The key-encryption keys that each kind makes for itself under its master key. */
export const KEYSTORE_PURPOSES: Readonly<Record<KeystoreKind, readonly KekPurpose[]>> = {
  service: ['escrow-store', 'ca-keys', 'backup', 'db-field', 'audit-mac', 'transport'],
  ceremony: ['root-keys', 'backup', 'audit-mac'],
};

const KEY_ID = '[a-z0-9][a-z0-9-]{0,63}';
const VERSION = '(?!0000)[0-9]{4}';
const MAX_VERSION = 9999;
const PURPOSES = Object.keys(KEK_PURPOSES).join('|');

interface FileSlot {
  readonly pattern: RegExp;
  readonly kinds: readonly KeystoreKind[];
}

/** Every file that a manifest may list. */
const FILE_SLOTS: readonly FileSlot[] = [
  { pattern: /^FORMAT$/, kinds: KEYSTORE_KINDS },
  { pattern: /^seal\/shamir-[0-9a-f]{32}\.json$/, kinds: KEYSTORE_KINDS },
  { pattern: new RegExp(`^master/mk-${VERSION}\\.blob$`), kinds: KEYSTORE_KINDS },
  { pattern: new RegExp(`^kek/(?:${PURPOSES})/${VERSION}\\.blob$`), kinds: ['ceremony'] },
  { pattern: new RegExp(`^root/${KEY_ID}\\.${VERSION}\\.blob$`), kinds: ['ceremony'] },
  { pattern: new RegExp(`^tomb/${KEY_ID}\\.json$`), kinds: ['ceremony'] },
];

/** True when a keystore of this kind may hold a file of this name (relative, `/` between parts). */
export function isKeystoreFileName(kind: KeystoreKind, name: string): boolean {
  return FILE_SLOTS.some((slot) => slot.kinds.includes(kind) && slot.pattern.test(name));
}

export const FORMAT_FILE = 'FORMAT';

/** Name of the seal file of a share set. @throws KmcError E_ID when the set id is not 32 lower-case hex digits. */
export function sealFileName(setId: string): string {
  if (!/^[0-9a-f]{32}$/.test(setId)) throw new KmcError('E_ID', 'The id of a share set is 32 lower-case hex digits.');
  return `seal/shamir-${setId}.json`;
}

/** Name of the file that keeps an earlier master key, sealed under the one that followed it. @throws KmcError E_ID. */
export function masterFileName(version: number): string {
  return `master/mk-${versionText(version)}.blob`;
}

/** Name of a sealed key-encryption key of the ceremony keystore. @throws KmcError E_ID. */
export function kekFileName(purpose: KekPurpose, version: number): string {
  return `kek/${purpose}/${versionText(version)}.blob`;
}

/** Name of a sealed root key. @throws KmcError E_ID for a key id or version of another form. */
export function rootKeyFileName(keyId: string, version: number): string {
  return `root/${checkedKeyId(keyId)}.${versionText(version)}.blob`;
}

/** Name of the evidence of a destroyed root key. @throws KmcError E_ID. */
export function tombstoneFileName(keyId: string): string {
  return `tomb/${checkedKeyId(keyId)}.json`;
}

/** The purpose and version in the name of a sealed key-encryption key; nothing for any other file. */
export function parseKekFileName(name: string): { purpose: KekPurpose; version: number } | undefined {
  const [, purpose, version] = /^kek\/([a-z-]+)\/([0-9]{4})\.blob$/.exec(name) ?? [];
  const known = Object.keys(KEK_PURPOSES).find((candidate): candidate is KekPurpose => candidate === purpose);
  return known === undefined ? undefined : { purpose: known, version: Number(version) };
}

/** The key id and version in the name of a sealed root key; nothing for any other file. */
export function parseRootKeyFileName(name: string): { keyId: string; version: number } | undefined {
  const [, keyId, version] = /^root\/([a-z0-9-]+)\.([0-9]{4})\.blob$/.exec(name) ?? [];
  return keyId === undefined ? undefined : { keyId, version: Number(version) };
}

function checkedKeyId(keyId: string): string {
  if (!new RegExp(`^${KEY_ID}$`).test(keyId)) {
    throw new KmcError('E_ID', 'A key id starts with a letter or digit and holds at most 64 of a-z, 0-9 and "-".');
  }
  return keyId;
}

function versionText(version: number): string {
  if (!Number.isInteger(version) || version < 1 || version > MAX_VERSION) {
    throw new KmcError('E_ID', `The version of a key is a number from 1 to ${MAX_VERSION}.`);
  }
  return String(version).padStart(4, '0');
}
