import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { POOL_NAMES } from '../../domain/key-pool.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { audited } from '../audit/events/audited.ts';
import type { Instance } from '../instance.ts';
import { releaseBatches } from '../pools/release-batches.ts';
import type { BackupRow } from '../ports/backups.ts';
import { backupRecords, beginBackup, type ReadBackup } from './read-backup.ts';

export interface VerifyBackupInput {
  readonly id: string;
  readonly requestId?: string;
}

export interface VerifiedBackup extends ReadBackup {
  readonly row: BackupRow;
  readonly rows: number;
  /** Keys that became issuable by it. */
  readonly released: number;
}

/**
 * Reads a backup back, as it lies in its file, to the last octet: every part opens at its place, the counts are right, it
 * is signed, and it is the file that was recorded. From then on it counts: where policy waits for a verified backup, what
 * it holds becomes issuable. Nothing is restored.
 * @throws KmcError E_NOT_FOUND (no such backup, or its file is not here), E_INTEGRITY, E_SIGNATURE, E_SEALED; each is
 * recorded.
 */
export async function verifyBackup(ports: Instance, caller: Caller, input: VerifyBackupInput): Promise<VerifiedBackup> {
  const { database, clock, node } = ports;
  const row = await database.read((reader) => reader.backups.find(input.id));
  if (row === undefined) throw new KmcError('E_NOT_FOUND', 'There is no backup of that id.');
  const attempt = {
    action: 'backup.verify',
    subjects: [{ type: 'backup', id: row.id }],
    actor: auditActor(caller),
    source: { node, ...(input.requestId === undefined ? {} : { request: input.requestId }) },
    detail: { backup: row.id, content: row.contentSm3, size: row.size, takenAt: signedTime(row.takenAt) },
  } as const;
  const read = await audited(ports, attempt, async () => {
    const found = await readWhole(ports, row);
    const at = clock.now();
    const id = newId('ev', at);
    await database.transaction(async (tx) => {
      if (!(await tx.backups.verify(row.id, at, id))) throw new KmcError('E_NOT_FOUND', 'There is no such backup.');
      const detail = { ...attempt.detail, parts: found.parts, rows: found.rows };
      await tx.audit.append({ ...attempt, id, outcome: 'success', detail }, at);
    });
    return found;
  });
  let released = 0;
  for (const pool of POOL_NAMES.filter((name) => ports.policies.keys.pools[name].needsBackup)) {
    const release = { pool, backupId: row.id, takenAt: row.takenAt, ...input };
    released += (await releaseBatches(ports, caller, release)).keys;
  }
  return { ...read, row, released };
}

async function readWhole(
  { engine, keystore, backupFiles }: Instance,
  row: BackupRow,
): Promise<ReadBackup & { readonly rows: number }> {
  const begun = await beginBackup(backupFiles.read(row.id));
  const kek = await keystore.kek('backup', begun.header.kek.version);
  const records = backupRecords(engine, kek, begun);
  let rows = 0;
  for (;;) {
    const next = await records.next();
    if (next.done === true) {
      if (next.value.content === row.contentSm3) return { ...next.value, rows };
      throw new KmcError('E_INTEGRITY', 'The file is a backup, but not the one that was recorded under that id.');
    }
    if (next.value.kind === 'row') rows += 1;
  }
}
