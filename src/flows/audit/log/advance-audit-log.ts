import type { AuditLog, AuditReceipt, AuditRowMac, StoredCheckpoint } from '../../ports/audit.ts';
import type { CheckpointSight } from '../checkpoints/checkpoint-sight.ts';
import type { OutstandingReceipts } from '../receipts/outstanding-receipts.ts';
import { SEQUENCING_BATCH, sequenceAuditEvents, type SequencedBatch } from '../events/sequence-audit-events.ts';
import { signCheckpoint, type LogSigner, type SignCheckpointPorts } from '../checkpoints/sign-checkpoint.ts';

export interface AuditLogPorts extends SignCheckpointPorts {
  readonly auditLog: AuditLog;
  readonly rowMac: AuditRowMac;
  readonly sight: CheckpointSight;
  readonly outstanding: OutstandingReceipts;
}

export interface AuditLogProgress {
  readonly sequenced: number;
  /** Put aside as not written by the service: raise an alarm. */
  readonly quarantined: SequencedBatch['quarantined'];
  /** Events wait for a MAC key that is not there. */
  readonly blocked: boolean;
  /** The newest published checkpoint, verified. */
  readonly checkpoint: StoredCheckpoint | undefined;
  /** Committed by this process and missing from the checkpoints for too long: raise an alarm. */
  readonly overdue: readonly AuditReceipt[];
}

/** So long may an event of this process be missing from the checkpoints (audit-log 3.7). */
const OVERDUE_MS = 10_000;
/** Batches of one round at most. */
const BATCHES = 64;

/**
 * One round of the work behind the flows: sequence what waits, sign, take note of the newest checkpoint, and look for
 * what is missing. `signer` is absent while the keystore is sealed, and in processes that do not sign.
 * @throws KmcError E_AUDIT, fatal, for a log that was altered: seal. E_STORAGE, E_TIME.
 */
export async function advanceAuditLog(ports: AuditLogPorts, signer: LogSigner | undefined): Promise<AuditLogProgress> {
  const { drained, ...sequencing } = await drain(ports);
  // Signed over a queue, a checkpoint would date events that wait too early for their own times.
  if (signer !== undefined && drained) await signCheckpoint(ports, signer);
  const deadline = new Date(ports.clock.now().getTime() - OVERDUE_MS);
  return await ports.database.read(async ({ audit }) => {
    const checkpoint = await audit.newestCheckpoint();
    if (checkpoint !== undefined) await ports.outstanding.settle(audit, ports.sight.accept(checkpoint.note).size);
    return { ...sequencing, checkpoint, overdue: checkpoint === undefined ? [] : ports.outstanding.overdue(deadline) };
  });
}

async function drain(
  ports: AuditLogPorts,
): Promise<Pick<AuditLogProgress, 'sequenced' | 'quarantined' | 'blocked'> & { readonly drained: boolean }> {
  let sequenced = 0;
  const quarantined: SequencedBatch['quarantined'][number][] = [];
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const done = await sequenceAuditEvents(ports);
    if (done === undefined) return { sequenced, quarantined, blocked: false, drained: true };
    sequenced += done.sequenced;
    quarantined.push(...done.quarantined);
    if (done.blocked) return { sequenced, quarantined, blocked: true, drained: false };
    const isFull = done.sequenced + done.quarantined.length === SEQUENCING_BATCH;
    if (!isFull) return { sequenced, quarantined, blocked: false, drained: true };
  }
  return { sequenced, quarantined, blocked: false, drained: false };
}
