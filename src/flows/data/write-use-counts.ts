import type { AuditEventInput } from '../../domain/audit/event.ts';
import type { UseCount } from '../../domain/key-use-tally.ts';
import { newId } from '../../domain/id.ts';
import type { KeyOperation } from '../../domain/managed-key.ts';
import { signedTime } from '../../domain/signed-body.ts';
import type { UsePorts } from './take-uses.ts';

/** Events of one transaction. */
const TOGETHER = 100;

/** The field of the event that counts an operation. */
const USE_COUNTERS = {
  encrypt: 'encrypt',
  decrypt: 'decrypt',
  rewrap: 'rewrap',
  'data-key': 'dataKey',
  sign: 'sign',
  verify: 'verify',
  mac: 'mac',
} as const satisfies Readonly<Record<KeyOperation, string>>;

function useEvent(id: string, node: string, used: UseCount): AuditEventInput {
  const { versionId, number, caller, minute, operations, failures } = used;
  const counts = [...operations].map(([operation, count]) => [USE_COUNTERS[operation], count] as const);
  return {
    id,
    action: 'key.use',
    outcome: 'success',
    subjects: [{ type: 'key', id: versionId }],
    terms: [{ type: 'application', id: caller.id }],
    actor: { type: 'application', id: caller.id, cert: caller.certificateSm3 },
    source: { node },
    detail: {
      ...Object.fromEntries(counts),
      minute: signedTime(minute),
      version: number,
      ...(failures === 0 ? {} : { failures }),
    },
  };
}

/**
 * Writes what was used, one event for each version, caller and minute, once a minute is over; what of the reserved blocks
 * was not used goes back to the limits. A minute that is cut by the writing has two events.
 * @param everything also what belongs to the minute that is not over: before the process ends.
 * @returns how many events were written.
 * @throws KmcError E_AUDIT, E_STORAGE, E_SEALED; what was not written stays in the tally.
 */
export async function writeUseCounts(
  { database, clock, uses, node }: UsePorts & { readonly node: string },
  everything = false,
): Promise<number> {
  const at = clock.now();
  if (!everything && !uses.hasCompleted(at)) return 0;
  const { counts, blocks } = uses.drain();
  let written = 0;
  try {
    for (; written < counts.length; written += TOGETHER) {
      const part = counts.slice(written, written + TOGETHER).map((used) => useEvent(newId('ev', at), node, used));
      await database.transaction(async (tx) => {
        for (const event of part) await tx.audit.append(event, at);
      });
    }
  } catch (error) {
    uses.restore({ counts: counts.slice(written), blocks });
    throw error;
  }
  // Only now, so that a cut before it leaves blocks that are told of as lost, and never a use that nothing tells of.
  for (const { block, left } of blocks) await database.transaction((tx) => tx.keyUses.settle(block, left));
  return counts.length;
}
