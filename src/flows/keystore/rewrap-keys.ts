import type { KeyEncryptionKey } from '../../crypto/engine.ts';
import type { SystemCaller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { caKeyContext, escrowedKeyContext, managedKeyContext } from '../../domain/keystore/blob-context.ts';
import { keystoreEvent } from '../../domain/keystore/keystore-event.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import { openBlob } from '../keys/open-blob.ts';
import { recordKeyFault } from '../keys/record-key-fault.ts';
import { destroyMaterial, openMaterial, sealMaterial } from '../managed-keys/key-material.ts';
import type { Transaction } from '../ports/database.ts';
import type { EscrowedKeyRow, EscrowedKeyWriter } from '../ports/escrowed-keys.ts';
import type { ManagedKeyVersionRow } from '../ports/managed-keys.ts';
import type { SealedCaKeyRow } from '../ports/keystore-rows.ts';

type RewrapPorts = Pick<Instance, 'database' | 'clock' | 'node' | 'engine' | 'keystore'>;

/** Blobs of one batch: one transaction, one event. */
const BATCH = 200;

/**
 * Seals one batch of keys that still stand under an earlier version of their key-encryption key anew under the current one
 * (security-and-faults 3.3). Each blob is replaced by compare-and-set on its object version, so at every moment it opens
 * under exactly the version that its row states; what a cut leaves is done by the next batch, in whatever process. A blob
 * that does not open is recorded as broken and left as it is.
 * @returns how many were sealed anew.
 * @throws KmcError E_SEALED, E_STORAGE, E_AUDIT.
 */
export async function rewrapKeys(ports: RewrapPorts, caller: SystemCaller, batch = BATCH): Promise<number> {
  const resealed = (await rewrapEscrow(ports, caller, batch)) + (await rewrapCaKeys(ports, caller));
  return resealed + (await rewrapManaged(ports, caller, batch));
}

async function rewrapEscrow(ports: RewrapPorts, caller: SystemCaller, batch: number): Promise<number> {
  const kek = ports.keystore.currentKek('escrow-store');
  const rows = await ports.database.read((reader) => reader.escrowedKeys.sealedBefore(kek.version, batch));
  const resealed: { readonly row: EscrowedKeyRow; readonly sealedKey: Buffer }[] = [];
  for (const row of rows) {
    const opened = await openBlob(ports, row);
    if (typeof opened === 'string') {
      await recordKeyFault(ports, row, opened);
      continue;
    }
    try {
      const sealedKey = await ports.engine.sealKey(kek, escrowedKeyContext(row.id, row.objectVersion + 1), opened);
      resealed.push({ row, sealedKey });
    } finally {
      ports.engine.destroyKey(opened);
    }
  }
  return await storeResealed(ports, caller, kek, resealed, (tx) => tx.escrowedKeys);
}

interface Resealed {
  readonly row: { readonly id: string; readonly objectVersion: number };
  readonly sealedKey: Buffer;
}

/** Replaces the blobs of one table in one transaction, with one event. */
async function storeResealed(
  ports: RewrapPorts,
  caller: SystemCaller,
  kek: KeyEncryptionKey,
  resealed: readonly Resealed[],
  tableOf: (tx: Transaction) => Pick<EscrowedKeyWriter, 'reseal'>,
): Promise<number> {
  if (resealed.length === 0) return 0;
  const at = ports.clock.now();
  const id = newId('ev', at);
  return await ports.database.transaction(async (tx) => {
    let count = 0;
    for (const { row, sealedKey } of resealed) {
      const to = { sealedKey, kekVersion: kek.version };
      if (await tableOf(tx).reseal(row.id, row.objectVersion, to, id)) count += 1;
    }
    if (count > 0) await tx.audit.append(rewrapEvent(ports, caller, id, kek, count), at);
    return count;
  });
}

async function rewrapCaKeys(ports: RewrapPorts, caller: SystemCaller): Promise<number> {
  const { database, engine, keystore, clock } = ports;
  const kek = keystore.currentKek('ca-keys');
  const all = await database.read((reader) => reader.keystoreRows.caKeys());
  let count = 0;
  for (const row of all.filter(({ blob, kekVersion }) => blob !== undefined && kekVersion < kek.version)) {
    const sealed = await resealCaKey({ engine, keystore }, kek, row);
    const at = clock.now();
    const id = newId('ev', at);
    const epoch = keystore.epoch;
    count += await database.transaction(async (tx) => {
      const to = { blob: sealed, kekVersion: kek.version };
      if (!(await tx.keystoreRows.resealCaKey(row.keyId, row.version, row.objectVersion, to, epoch))) return 0;
      await tx.audit.append(rewrapEvent(ports, caller, id, kek, 1), at);
      return 1;
    });
  }
  return count;
}

async function resealCaKey(
  { engine, keystore }: Pick<Instance, 'engine' | 'keystore'>,
  kek: KeyEncryptionKey,
  row: SealedCaKeyRow,
): Promise<Buffer> {
  const { objectVersion, blob = Buffer.alloc(0) } = row;
  const opened = await engine.openKey(await keystore.kek('ca-keys', row.kekVersion), caKeyContext(row), blob);
  try {
    return await engine.sealKey(kek, caKeyContext({ ...row, objectVersion: objectVersion + 1 }), opened);
  } finally {
    engine.destroyKey(opened);
  }
}

/** A managed key that does not open keeps none of the others, and is told with every round. */
async function rewrapManaged(ports: RewrapPorts, caller: SystemCaller, batch: number): Promise<number> {
  const kek = ports.keystore.currentKek('db-field');
  const rows = await ports.database.read((reader) => reader.managedKeys.sealedBefore(kek.version, batch));
  const resealed: Resealed[] = [];
  const broken: KmcError[] = [];
  for (const row of rows) {
    try {
      resealed.push({ row, sealedKey: await resealManaged(ports, kek, row) });
    } catch (error) {
      if (!(error instanceof KmcError) || error.code !== 'E_INTEGRITY') throw error;
      broken.push(error);
    }
  }
  const count = await storeResealed(ports, caller, kek, resealed, (tx) => tx.managedKeys);
  if (count === 0 && broken[0] !== undefined) throw broken[0];
  return count;
}

async function resealManaged(ports: RewrapPorts, kek: KeyEncryptionKey, row: ManagedKeyVersionRow): Promise<Buffer> {
  const key = await ports.database.read((reader) => reader.managedKeys.find(row.keyId));
  if (key === undefined) throw new KmcError('E_INTEGRITY', `The version ${row.id} belongs to no key.`);
  const opened = await openMaterial(ports, key.kind, row);
  try {
    return await sealMaterial(ports, kek, managedKeyContext(row.id, key.kind, row.objectVersion + 1), opened);
  } finally {
    destroyMaterial(ports.engine, opened);
  }
}

function rewrapEvent(
  { keystore, node }: RewrapPorts,
  caller: SystemCaller,
  id: string,
  { purpose, version }: KeyEncryptionKey,
  count: number,
): ReturnType<typeof keystoreEvent> {
  const detail = { kek: purpose, kekVersion: version, count };
  const { epoch } = keystore;
  return keystoreEvent({ id, action: 'keystore.rewrap', epoch, actor: caller, source: { node }, detail });
}
