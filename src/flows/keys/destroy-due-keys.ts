import type { SystemCaller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { parseAuditRecord } from '../../domain/audit/record.ts';
import { kekName } from '../../domain/keystore/blob-context.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { tombstoneOf, type Tombstone } from '../../domain/tombstone.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import type { Reader } from '../ports/database.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';
import { transitionKey } from './transition-key.ts';

type DestroyPorts = Pick<Instance, 'database' | 'clock' | 'node' | 'id'>;

/** Keys of one round. */
const ROUND = 200;
/** Events of one key. */
const HISTORY = 1_000;

/**
 * Destroys the keys whose window is over: the sealed key leaves its row, and a tombstone with the evidence stays. One
 * transaction for each, so that a cut leaves each either whole or destroyed; one whose destruction was cancelled meanwhile
 * is left alone.
 * @returns the ids of the destroyed keys.
 * @throws KmcError E_SEALED, E_STORAGE.
 */
export async function destroyDueKeys(ports: DestroyPorts, caller: SystemCaller): Promise<readonly string[]> {
  const at = ports.clock.now();
  const due = await ports.database.read((reader) => reader.escrowedKeys.due(at, ROUND));
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
  key: EscrowedKeyRow,
  at: Date,
): Promise<void> {
  const auditEvent = newId('ev', at);
  const schedule = await database.read((reader) => scheduleOf(reader, key));
  await database.transaction(async (tx) => {
    const blobs = await tx.escrowedKeys.countSealedUnder(key.kekVersion);
    const tombstone = tombstoneFor(key, { ...schedule, blobsLeft: blobs - 1, instance, node, at });
    const detail = { evidence: tombstone.digest, kek: 'escrow-store', kekVersion: key.kekVersion };
    await transitionKey(tx, key, { act: 'destroy', auditEvent, at, actor: caller, source: { node }, detail });
    const { text: evidence, digest: evidenceSm3 } = tombstone;
    await tx.keyTombstones.insert({ keyId: key.id, evidence, evidenceSm3, destroyedAt: at, auditEvent });
  });
}

/** The event that opened the window, and the approved request behind it. */
interface Schedule {
  readonly scheduledBy: string;
  readonly request: string;
}

async function scheduleOf({ audit }: Reader, key: EscrowedKeyRow): Promise<Schedule> {
  const events = await audit.history('key', key.id, 0, HISTORY);
  const record = events
    .map(({ canon }) => parseAuditRecord(canon))
    .findLast(({ act }) => act === 'key.destroy-schedule');
  if (record === undefined) throw new KmcError('E_INTEGRITY', `Nothing tells who had the key ${key.id} destroyed.`);
  return { scheduledBy: record.id, request: String(record.det['request'] ?? '') };
}

interface Destruction extends Schedule {
  readonly blobsLeft: number;
  readonly instance: string;
  readonly node: string;
  readonly at: Date;
}

function tombstoneFor(
  key: EscrowedKeyRow,
  { scheduledBy, request, blobsLeft, instance, node, at }: Destruction,
): Tombstone {
  return tombstoneOf({
    key: key.id,
    kid: key.spkiSm3,
    algorithm: key.algorithm,
    objectVersion: String(key.objectVersion),
    kek: kekName('escrow-store', key.kekVersion),
    blobsLeft: String(blobsLeft),
    authority: key.owner?.authorityId ?? '',
    serialNumber: key.owner?.certificateSerial ?? '',
    batch: key.batchId,
    scheduledBy,
    request,
    scheduledAt: signedTime(key.changedAt),
    compromised: key.compromisedAt !== undefined,
    destroyedAt: signedTime(at),
    instance,
    node,
  });
}
