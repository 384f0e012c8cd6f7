import { spkiSm3 } from '../../crypto/spki.ts';
import type { KeyEncryptionKey, SealedKeyPair } from '../../crypto/engine.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { KEY_POOLS, nextBatch, type PoolName } from '../../domain/key-pool.ts';
import { storeOf } from '../../domain/key-state.ts';
import { escrowedKeyContext } from '../../domain/keystore/blob-context.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import { sealingKek } from '../keystore/sealing-kek.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';
import { poolFigures } from './pool-figures.ts';

export type FillPoolPorts = Pick<Instance, 'database' | 'clock' | 'node' | 'engine' | 'keystore' | 'policies'>;

export interface FillPoolInput {
  readonly pool: PoolName;
  /** Whether a filling goes on, up to the high mark; otherwise a batch is made below the low mark only. */
  readonly isFilling: boolean;
  /** Runs the known-answer tests of the engine, or says when they were run for this filling. Asked when a batch is made. */
  readonly selfTest: () => Promise<Date>;
  /** The id of the HTTP request, for the event. */
  readonly requestId?: string;
}

export interface FilledBatch {
  readonly batchId: string;
  readonly count: number;
}

interface NewBatch extends FilledBatch {
  readonly at: Date;
  readonly auditEvent: string;
  readonly kek: KeyEncryptionKey;
  readonly ids: readonly string[];
  readonly pairs: readonly SealedKeyPair[];
}

/**
 * Makes one batch of a pool and stores it, all or none: keys, the row that says where they come from, and the audit
 * event. The plain keys never leave the engine. A key is issuable once its transaction is durable; where policy asks for a
 * backup, once `releaseBatches` says so.
 * @returns nothing when the pool needs no keys.
 * @throws KmcError E_SEALED, E_SELF_TEST, E_STORAGE, E_AUDIT.
 */
export async function fillPool(
  ports: FillPoolPorts,
  input: FillPoolInput,
  caller: Caller,
): Promise<FilledBatch | undefined> {
  const rule = ports.policies.keys.pools[input.pool];
  const figures = await ports.database.read((reader) => poolFigures(reader, input.pool));
  const count = nextBatch(rule, figures, input.isFilling);
  if (count === 0) return undefined;
  const selfTestedAt = await input.selfTest();
  const batch = await makeBatch(ports, count);
  try {
    await storeBatch(ports, { ...input, selfTestedAt }, caller, batch);
  } catch (error) {
    // Another node replaced the key-encryption key and destroyed the one before: the next batch takes the new one.
    if (error instanceof KmcError && error.code === 'E_STALE') await ports.keystore.reload();
    throw error;
  }
  return { batchId: batch.batchId, count };
}

async function makeBatch(ports: FillPoolPorts, count: number): Promise<NewBatch> {
  const { engine, clock } = ports;
  const at = clock.now();
  const kek = sealingKek(ports, 'escrow-store');
  const ids = Array.from({ length: count }, () => newId('key', at));
  const contexts = ids.map((id) => escrowedKeyContext(id, 1));
  const pairs = await engine.generateSealedPairs(kek, contexts);
  if (pairs.length !== count) throw new KmcError('E_INTERNAL', 'The engine made another number of pairs than asked.');
  return { batchId: newId('batch', at), count, at, auditEvent: newId('ev', at), kek, ids, pairs };
}

function rowsOf(batch: NewBatch, algorithm: EscrowedKeyRow['algorithm'], needsBackup: boolean): EscrowedKeyRow[] {
  const state = needsBackup ? 'generated' : 'spare';
  return batch.pairs.map(({ spki, sealedKey }, position) => ({
    id: batch.ids[position] ?? '',
    algorithm,
    state,
    store: storeOf(state),
    version: 1,
    spki,
    spkiSm3: spkiSm3(spki),
    sealedKey,
    kekVersion: batch.kek.version,
    objectVersion: 1,
    batchId: batch.batchId,
    owner: undefined,
    createdAt: batch.at,
    activatedAt: undefined,
    changedAt: batch.at,
    stateReason: undefined,
    compromisedAt: undefined,
    destroyAfter: undefined,
    lastAuditEvent: batch.auditEvent,
  }));
}

async function storeBatch(
  { database, engine, node, policies }: FillPoolPorts,
  { pool, selfTestedAt, requestId }: FillPoolInput & { readonly selfTestedAt: Date },
  caller: Caller,
  batch: NewBatch,
): Promise<void> {
  const { algorithm } = KEY_POOLS[pool];
  const { needsBackup } = policies.keys.pools[pool];
  const { batchId: id, count, at, auditEvent, kek } = batch;
  const rows = rowsOf(batch, algorithm, needsBackup);
  await database.transaction(async (tx) => {
    await tx.keyBatches.insert({
      id,
      pool,
      algorithm,
      generator: engine.name,
      selfTestedAt,
      kekVersion: kek.version,
      count,
      node,
      createdAt: at,
      backupId: undefined,
      releasedAt: undefined,
      lastAuditEvent: auditEvent,
    });
    await tx.escrowedKeys.insertAll(rows);
    await tx.audit.append(
      {
        id: auditEvent,
        action: 'pool.refill',
        outcome: 'success',
        subjects: [{ type: 'pool', id: pool }],
        actor: auditActor(caller),
        source: { node, ...(requestId === undefined ? {} : { request: requestId }) },
        detail: { pool, batch: id, count, algorithm, generator: engine.name, kekVersion: kek.version },
      },
      at,
    );
  });
}
