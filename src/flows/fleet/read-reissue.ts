import type { SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { Reader } from '../ports/database.ts';

/** Refused orders that are shown. */
const SHOWN = 100;
const STATES = ['waiting', 'issued', 'refused'] as const;

/**
 * How far a list of re-issues has come: counts in all and by region, as text, and the first orders that were refused.
 * @throws KmcError E_NOT_FOUND when the upgrade has no such list.
 */
export async function readReissue(reader: Reader, upgradeId: string, jobId: string): Promise<SignedObject> {
  const job = await reader.reissues.job(jobId);
  if (job?.upgradeId !== upgradeId) throw new KmcError('E_NOT_FOUND', 'There is no such list of re-issues.');
  const counts = await reader.reissues.itemCounts(jobId);
  const refused = await reader.reissues.refused(jobId, SHOWN);
  const regions = [...new Set(counts.map(({ region }) => region))];
  const sumOf = (of: typeof counts): SignedObject => {
    const sum = (state?: string): string =>
      String(
        of.filter((each) => state === undefined || each.state === state).reduce((all, { count }) => all + count, 0),
      );
    return { total: sum(), ...Object.fromEntries(STATES.map((state) => [state, sum(state)])) };
  };
  return {
    id: jobId,
    upgrade: upgradeId,
    perMinute: String(job.perMinute),
    ...sumOf(counts),
    regions: regions.map((region) => ({ region, ...sumOf(counts.filter((each) => each.region === region)) })),
    refusedOrders: refused.map(({ deviceId, code }) => ({ device: deviceId, code: code ?? '' })),
  };
}
