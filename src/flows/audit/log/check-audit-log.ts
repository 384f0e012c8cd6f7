import { AuditVerification, type AuditReport, type VerificationInput } from '../../../domain/audit/verify.ts';
import { KmcError } from '../../../errors.ts';
import { parseAuditRecord, type AuditRecord } from '../../../domain/audit/record.ts';
import type { AuditEntry, AuditEventColumns, AuditReader } from '../../ports/audit.ts';
import type { Database } from '../../ports/database.ts';

export interface AuditLogCheck {
  readonly report: AuditReport;
  /** Rows of events, and where they stand: `written` must be the sum of the others. */
  readonly rows: {
    readonly written: number;
    readonly sequenced: number;
    readonly pending: number;
    readonly quarantined: number;
  };
  /** Events whose columns say something else than the event itself: searches mislead, evidence does not. */
  readonly misfiled: readonly string[];
  readonly ok: boolean;
}

const PAGE = 2_000;

/**
 * Verifies the stored log from the bytes of every event, at one moment, as an auditor would verify a copy, and counts
 * that no event lies outside of tree, queue and quarantine.
 * @throws KmcError E_NOT_FOUND when nothing was signed yet; E_STORAGE, E_INTEGRITY.
 */
export async function checkAuditLog(
  ports: { readonly database: Pick<Database, 'snapshot'> },
  trust: Pick<VerificationInput, 'policy' | 'logSpki' | 'validity'>,
): Promise<AuditLogCheck> {
  return await ports.database.snapshot(async ({ audit }) => {
    const [checkpoint, notes] = [await audit.newestCheckpoint(), await allNotes(audit)];
    if (checkpoint === undefined) throw new KmcError('E_NOT_FOUND', 'The log has no signed checkpoint yet.');
    const verification = new AuditVerification({ ...trust, checkpoint: checkpoint.note, otherNotes: notes });
    const misfiled: string[] = [];
    for (let from = 0; from < checkpoint.size; from += PAGE) {
      const wanted = Math.min(PAGE, checkpoint.size - from);
      const entries = await audit.entries(from, wanted);
      for (const entry of entries) verification.add(entry.canon);
      misfiled.push(...misfiledIn(entries, await audit.columns(from, wanted)));
    }
    const rows = {
      written: await audit.written(),
      sequenced: await audit.size(),
      pending: await audit.pending(),
      quarantined: await audit.quarantined(),
    };
    const report = await verification.finish();
    const complete = rows.written === rows.sequenced + rows.pending + rows.quarantined;
    return { report, rows, misfiled, ok: report.exitCode === 0 && complete && misfiled.length === 0 };
  });
}

/** The ids of events whose columns differ from their canonical bytes. */
function misfiledIn(entries: readonly AuditEntry[], columns: readonly AuditEventColumns[]): string[] {
  return entries.flatMap(({ canon, eventId }, at) => {
    const row = columns[at];
    const record = recordOf(canon);
    if (record === undefined) return [];
    const { act, cls, id, out, ph, ref, ts } = record;
    const filed = [row?.act, row?.cls, row?.id, row?.outcome, row?.ph, row?.ref, row?.ts];
    return [act, cls, id, out, ph, ref, ts].every((value, place) => value === filed[place]) ? [] : [eventId];
  });
}

/** Undefined for octets that the verification itself refuses. */
function recordOf(canon: Buffer): AuditRecord | undefined {
  try {
    return parseAuditRecord(canon);
  } catch (error) {
    if (error instanceof KmcError) return undefined;
    throw error;
  }
}

async function allNotes(audit: AuditReader): Promise<string[]> {
  const notes: string[] = [];
  for (let time = 0; ;) {
    const found = await audit.checkpointsAfter(time, PAGE);
    const last = found.at(-1);
    if (last === undefined) return notes;
    notes.push(...found.map((checkpoint) => checkpoint.note));
    time = last.time;
  }
}
