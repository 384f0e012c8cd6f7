import { backupIdOf, type BackupHeader } from '../../domain/backup/backup-header.ts';
import { newId } from '../../domain/id.ts';
import { signedTime, type SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { ApprovedAct, ExecutionResult, ExternalHandler } from '../approvals/action-handler.ts';
import type { Instance } from '../instance.ts';
import type { BackupRow } from '../ports/backups.ts';
import type { Transaction } from '../ports/database.ts';
import { beginBackup, skimBackup } from './read-backup.ts';
import { writeBackup } from './write-backup.ts';

/**
 * The act `backup.create`: a backup of the running service, in a file of its own named after the request, so that the
 * request makes one and no second. Target `backup/<id of the instance>`, whose version is the number of backups before;
 * no parameters. It counts for nothing before `verifyBackup` has read it back.
 */
export function createBackup(instance: Instance): ExternalHandler {
  const { backupFiles } = instance;
  const settled = async (requestDigest: string): Promise<ExecutionResult | undefined> => {
    const id = backupIdOf(requestDigest);
    if (!backupFiles.exists(id)) return undefined;
    const begun = await beginBackup(backupFiles.read(id));
    const { content } = await skimBackup(begun);
    return resultOf(begun.header, backupFiles.size(id), content);
  };
  return {
    kind: 'external',
    async target(reader, targetId) {
      if (targetId !== instance.id) throw new KmcError('E_NOT_FOUND', 'The target is the id of this instance.');
      return { state: 'serving', version: String(await reader.backups.count()) };
    },
    async act({ requestDigest }) {
      const made = await settled(requestDigest);
      if (made !== undefined) return made;
      const id = backupIdOf(requestDigest);
      const sink = backupFiles.create(id);
      try {
        const order = { id, keepSeconds: instance.policies.backupKeepSeconds };
        const { header, size, content } = await writeBackup(instance, order, sink);
        sink.commit();
        return resultOf(header, size, content);
      } catch (error) {
        sink.abandon();
        throw error;
      }
    },
    settled,
    record: (tx, act, result) => recordBackup(tx, act, result, instance.node),
  };
}

async function recordBackup(
  tx: Transaction,
  { request, actor, source, approvals, at }: ApprovedAct,
  result: ExecutionResult,
  node: string,
): Promise<void> {
  const { row, keks } = rowOf(result, { requestId: request.id, node, auditEvent: newId('ev', at) });
  if (!(await tx.backups.insert(row, keks))) throw new KmcError('E_CONFLICT', 'That backup is recorded already.');
  await tx.audit.append(
    {
      id: row.lastAuditEvent,
      action: 'backup.create',
      outcome: 'success',
      subjects: [{ type: 'backup', id: row.id }],
      actor,
      source,
      approvals,
      detail: {
        backup: row.id,
        content: row.contentSm3,
        size: row.size,
        epoch: row.keystoreEpoch,
        set: row.setId,
        takenAt: signedTime(row.takenAt),
        expires: signedTime(row.expiresAt),
        request: row.requestId,
      },
    },
    at,
  );
}

function resultOf(header: BackupHeader, size: number, content: string): SignedObject {
  const { id, takenAt, expiresAt, epoch, set, keks } = header;
  return {
    backup: id,
    takenAt: takenAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    epoch: String(epoch),
    set,
    size: String(size),
    content,
    keks: [...keks],
  };
}

function rowOf(
  result: ExecutionResult,
  { requestId, node, auditEvent }: { readonly requestId: string; readonly node: string; readonly auditEvent: string },
): { row: BackupRow; keks: string[] } {
  const text = (name: string): string => {
    const value = result[name];
    return typeof value === 'string' ? value : '';
  };
  const keks = result['keks'];
  const row: BackupRow = {
    id: text('backup'),
    requestId,
    state: 'made',
    takenAt: new Date(text('takenAt')),
    expiresAt: new Date(text('expiresAt')),
    size: Number(text('size')),
    contentSm3: text('content'),
    keystoreEpoch: Number(text('epoch')),
    setId: text('set'),
    node,
    verifiedAt: undefined,
    lastAuditEvent: auditEvent,
  };
  return { row, keks: Array.isArray(keks) ? keks.map(String) : [] };
}
