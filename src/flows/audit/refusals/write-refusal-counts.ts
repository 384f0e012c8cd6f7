import { newId } from '../../../domain/id.ts';
import { refusalsOf, type RefusalPorts } from './record-refusal.ts';

/**
 * Writes the counts of the minutes that are over, each in a transaction of its own. A count is forgotten only when it has
 * been written. To be called at least once a minute, and at the end with `everything`.
 * @returns how many events were written.
 * @throws KmcError E_AUDIT, E_STORAGE; what was not written stays in the tally.
 */
export async function writeRefusalCounts(ports: RefusalPorts, everything = false): Promise<number> {
  const now = ports.clock.now();
  const counts = ports.tally.completed(everything ? new Date(now.getTime() + 60_000) : now);
  for (const counted of counts) {
    const id = newId('ev', now);
    const { source, minute, count, code, operation } = counted;
    await ports.database.transaction(async (tx) => {
      await tx.audit.append(
        {
          id,
          action: 'access.refused',
          outcome: 'denied',
          code,
          subjects: [refusalsOf(ports.node)],
          actor: { type: 'anonymous', id: 'anonymous' },
          source: { node: ports.node },
          detail: {
            count,
            minute: minute.toISOString().replace('.000Z', 'Z'),
            operation,
            ...(source === undefined ? { reason: 'other-sources' } : {}),
          },
          ...(source === undefined ? {} : { committed: { from: source } }),
        },
        now,
      );
    });
    ports.tally.forget(counted);
  }
  return counts.length;
}
