import type { SystemCaller } from '../../domain/caller.ts';
import type { KekPurpose } from '../../crypto/engine.ts';
import { newId } from '../../domain/id.ts';
import { parseAuditRecord } from '../../domain/audit/record.ts';
import { kekName } from '../../domain/keystore/blob-context.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { managedKeyKind } from '../../domain/managed-key.ts';
import { tombstoneOf, type TombstoneFacts } from '../../domain/tombstone.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import { countUnderDbField } from '../keystore/blobs-under.ts';
import type { Reader, Transaction } from '../ports/database.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';
import type { KeyTombstoneWriter } from '../ports/key-tombstones.ts';
import type { ManagedKeyRow, ManagedKeyVersionRow } from '../ports/managed-keys.ts';
import { transitionKey, transitionManagedKey, type KeyChange } from './transition-key.ts';

type DestroyPorts = Pick<Instance, 'database' | 'clock' | 'node' | 'id'>;

/** Keys of one round. */
const ROUND = 200;
/** Events of one key. */
const HISTORY = 1_000;

/** What differs between the kinds of keys that are destroyed. */
interface DueKey {
  readonly id: string;
  readonly kekVersion: number;
  readonly changedAt: Date;
  readonly compromisedAt: Date | undefined;
  readonly kek: KekPurpose;
  readonly facts: Pick<TombstoneFacts, 'kid' | 'algorithm' | 'objectVersion' | 'authority' | 'serialNumber' | 'batch'>;
  countSealed(reader: Reader): Promise<number>;
  move(tx: Transaction, change: KeyChange): Promise<unknown>;
  tombstones(tx: Transaction): KeyTombstoneWriter;
}

function dueEscrowed(key: EscrowedKeyRow): DueKey {
  return {
    ...key,
    kek: 'escrow-store',
    facts: {
      kid: key.spkiSm3,
      algorithm: key.algorithm,
      objectVersion: String(key.objectVersion),
      authority: key.owner?.authorityId ?? '',
      serialNumber: key.owner?.certificateSerial ?? '',
      batch: key.batchId,
    },
    countSealed: (reader) => reader.escrowedKeys.countSealedUnder(key.kekVersion),
    move: (tx, change) => transitionKey(tx, key, change),
    tombstones: (tx) => tx.keyTombstones,
  };
}

function dueManaged(version: ManagedKeyVersionRow, { kind }: ManagedKeyRow): DueKey {
  return {
    ...version,
    kek: 'db-field',
    facts: {
      kid: version.kid,
      algorithm: managedKeyKind(kind).algorithm,
      objectVersion: String(version.objectVersion),
      authority: '',
      serialNumber: '',
      batch: version.keyId,
    },
    countSealed: (reader) => countUnderDbField(reader, version.kekVersion),
    move: (tx, change) => transitionManagedKey(tx, version, change),
    tombstones: (tx) => tx.managedKeyTombstones,
  };
}

async function dueKeys(reader: Reader, at: Date): Promise<DueKey[]> {
  const escrowed = (await reader.escrowedKeys.due(at, ROUND)).map(dueEscrowed);
  const managed: DueKey[] = [];
  for (const version of await reader.managedKeys.due(at, ROUND)) {
    const key = await reader.managedKeys.find(version.keyId);
    if (key !== undefined) managed.push(dueManaged(version, key));
  }
  return [...escrowed, ...managed];
}

/**
 * Destroys the keys whose window is over, escrowed ones and versions of managed ones: the sealed key leaves its row, and a
 * tombstone with the evidence stays. One transaction for each, so that a cut leaves each either whole or destroyed; one
 * whose destruction was cancelled meanwhile is left alone.
 * @returns the ids of the destroyed keys.
 * @throws KmcError E_SEALED, E_STORAGE.
 */
export async function destroyDueKeys(ports: DestroyPorts, caller: SystemCaller): Promise<readonly string[]> {
  const at = ports.clock.now();
  const due = await ports.database.read((reader) => dueKeys(reader, at));
  const destroyed: string[] = [];
  for (const key of due) {
    try {
      await destroy(ports, caller, key, at);
      destroyed.push(key.id);
    } catch (error) {
      if (!(error instanceof KmcError) || error.code !== 'E_CONFLICT') throw error;
    }
  }
  return destroyed;
}

async function destroy(
  { database, id: instance, node }: DestroyPorts,
  caller: SystemCaller,
  key: DueKey,
  at: Date,
): Promise<void> {
  const auditEvent = newId('ev', at);
  const schedule = await database.read((reader) => scheduleOf(reader, key.id));
  await database.transaction(async (tx) => {
    const blobs = await key.countSealed(tx);
    const tombstone = tombstoneOf({
      ...key.facts,
      ...schedule,
      key: key.id,
      kek: kekName(key.kek, key.kekVersion),
      blobsLeft: String(blobs - 1),
      scheduledAt: signedTime(key.changedAt),
      compromised: key.compromisedAt !== undefined,
      destroyedAt: signedTime(at),
      instance,
      node,
    });
    const detail = { evidence: tombstone.digest, kek: key.kek, kekVersion: key.kekVersion };
    await key.move(tx, { act: 'destroy', auditEvent, at, actor: caller, source: { node }, detail });
    const { text: evidence, digest: evidenceSm3 } = tombstone;
    await key.tombstones(tx).insert({ keyId: key.id, evidence, evidenceSm3, destroyedAt: at, auditEvent });
  });
}

/** The event that opened the window, and the approved request behind it. */
async function scheduleOf(
  { audit }: Reader,
  keyId: string,
): Promise<{ readonly scheduledBy: string; readonly request: string }> {
  const events = await audit.history('key', keyId, 0, HISTORY);
  const record = events
    .map(({ canon }) => parseAuditRecord(canon))
    .findLast(({ act }) => act === 'key.destroy-schedule');
  if (record === undefined) throw new KmcError('E_INTEGRITY', `Nothing tells who had the key ${keyId} destroyed.`);
  return { scheduledBy: record.id, request: String(record.det['request'] ?? '') };
}
