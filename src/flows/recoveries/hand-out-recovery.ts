import { KmcError } from '../../errors.ts';
import { requireCosigned } from '../audit/checkpoints/cosigned-note.ts';
import type { Instance } from '../instance.ts';
import type { RecoveryRow } from '../ports/recoveries.ts';

/**
 * What was recovered, with its envelope. A judicial recovery is of the highest class: where policy says so, auditors must
 * have cosigned the log over its event first.
 * @throws KmcError E_NOT_FOUND; E_PENDING with Retry-After until the log is cosigned.
 */
export async function handOutRecovery(
  { database, policies }: Pick<Instance, 'database' | 'policies'>,
  id: string,
): Promise<RecoveryRow> {
  return await database.read(async (reader) => {
    const row = await reader.recoveries.find(id);
    if (row === undefined) throw new KmcError('E_NOT_FOUND', 'There is no recovery of that id.');
    if (row.kind === 'judicial') await requireCosigned(reader, row.auditEvent, policies.auditCosignatures);
    return row;
  });
}
