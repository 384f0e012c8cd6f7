/** The secret part of a version of a managed key: made, sealed into its row, and opened again, always inside the engine. */
import type { CryptoEngine, KeyHandle, SecretHandle } from '../../crypto/engine.ts';
import { sm3 } from '../../crypto/gm/sm3.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { managedKeyContext } from '../../domain/keystore/blob-context.ts';
import { managedKeyKind, versionId, type ManagedKeyKindName } from '../../domain/managed-key.ts';
import { KmcError, type ErrorCode } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import { sealingKek } from '../keystore/sealing-kek.ts';
import type { ManagedKeyVersionRow } from '../ports/managed-keys.ts';

export type KeyMaterial = KeyHandle | SecretHandle;
export type MaterialPorts = Pick<Instance, 'clock' | 'engine' | 'keystore' | 'policies'>;

/** New key material of that kind; the caller destroys it. */
export async function generateMaterial(engine: CryptoEngine, kind: ManagedKeyKindName): Promise<KeyMaterial> {
  const { secretOctets } = managedKeyKind(kind);
  return secretOctets === undefined ? await engine.generateKeyPair('SM2') : await engine.generateSecret(secretOctets);
}

/** Forgets the material and wipes its octets. */
export function destroyMaterial(engine: CryptoEngine, material: KeyMaterial): void {
  if (material.kind === 'key') engine.destroyKey(material);
  else engine.destroySecret(material);
}

/** `sm3:<hex>`: of the public key, or SM3 of the check value of a symmetric key. */
async function kidOf(engine: CryptoEngine, id: string, material: KeyMaterial): Promise<string> {
  if (material.kind === 'key') return spkiSm3(material.spki);
  return `sm3:${sm3(await engine.keyCheckValue(material, id)).toString('hex')}`;
}

/** Seals material under a version of the `db-field` key, as object version `objectVersion` of the row. */
export async function sealMaterial(
  { engine }: Pick<MaterialPorts, 'engine'>,
  kek: Parameters<CryptoEngine['sealKey']>[0],
  context: ReturnType<typeof managedKeyContext>,
  material: KeyMaterial,
): Promise<Buffer> {
  return material.kind === 'key'
    ? await engine.sealKey(kek, context, material)
    : await engine.sealSecret(kek, context, material);
}

export interface NewVersion {
  readonly keyId: string;
  readonly kind: ManagedKeyKindName;
  readonly number: number;
  readonly at: Date;
  readonly auditEvent: string;
}

/** The row of a new version, active from now on. @throws KmcError E_SEALED, E_PERIOD. */
export async function sealedVersion(
  ports: MaterialPorts,
  { keyId, kind, number, at, auditEvent }: NewVersion,
  material: KeyMaterial,
): Promise<ManagedKeyVersionRow> {
  const id = versionId(keyId, number);
  const kek = sealingKek(ports, 'db-field');
  const isPair = material.kind === 'key';
  return {
    id,
    keyId,
    number,
    state: 'active',
    store: 'in-use',
    version: 1,
    kid: await kidOf(ports.engine, id, material),
    spki: isPair ? material.spki : undefined,
    spkiSm3: isPair ? spkiSm3(material.spki) : undefined,
    sealedKey: await sealMaterial(ports, kek, managedKeyContext(id, kind, 1), material),
    kekVersion: kek.version,
    objectVersion: 1,
    createdAt: at,
    activatedAt: at,
    changedAt: at,
    stateReason: undefined,
    compromisedAt: undefined,
    destroyAfter: undefined,
    lastAuditEvent: auditEvent,
  };
}

/** What says that the blob, and not the moment, is at fault. */
const BROKEN: readonly ErrorCode[] = ['E_BLOB_AUTH', 'E_SUITE', 'E_SIZE', 'E_NOT_FOUND'];

/**
 * Opens the material of a version and compares it with what its row says; the caller destroys it.
 * @throws KmcError E_SEALED; E_STATE for a destroyed version; E_INTEGRITY for one that does not open, or as another key.
 */
export async function openMaterial(
  { engine, keystore }: Pick<MaterialPorts, 'engine' | 'keystore'>,
  kind: ManagedKeyKindName,
  row: ManagedKeyVersionRow,
): Promise<KeyMaterial> {
  if (row.sealedKey === undefined)
    throw new KmcError('E_STATE', 'The key is destroyed: nothing of it is left to open.');
  let material: KeyMaterial;
  try {
    const kek = await keystore.kek('db-field', row.kekVersion);
    const context = managedKeyContext(row.id, kind, row.objectVersion);
    const isPair = managedKeyKind(kind).secretOctets === undefined;
    material = await (isPair
      ? engine.openKey(kek, context, row.sealedKey)
      : engine.openSecret(kek, context, row.sealedKey));
  } catch (error) {
    throw error instanceof KmcError && BROKEN.includes(error.code) ? broken(row) : error;
  }
  if ((await kidOf(engine, row.id, material)) === row.kid) return material;
  destroyMaterial(engine, material);
  throw broken(row);
}

function broken({ id }: ManagedKeyVersionRow): KmcError {
  return new KmcError('E_INTEGRITY', `The managed key ${id} does not open. Restore its row from a backup.`);
}
