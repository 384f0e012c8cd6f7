import type { SystemCaller } from '../../domain/caller.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import type { SupervisedAuthorityRow } from '../ports/supervised-authorities.ts';
import { fetchSupervisedAuthority, type FetchPorts } from './fetch-supervised-authority.ts';

export type FetchDuePorts = FetchPorts & Pick<Instance, 'policies'>;

const ALL = { limit: 1_000 };

async function isDue({ database, clock, policies }: FetchDuePorts, { id }: SupervisedAuthorityRow): Promise<boolean> {
  const last = await database.read((reader) => reader.supervisedAuthorities.fetchOf(id));
  const interval = policies.supervision.fetchIntervalSeconds * 1000;
  return last === undefined || last.triedAt.getTime() + interval <= clock.now().getTime();
}

/**
 * Fetches from every supervised authority whose time has come. One that does not answer, or publishes what is not good,
 * does not keep the others from being fetched; what came of each is kept with it.
 * @returns how many were fetched, and how many of them failed.
 * @throws KmcError E_STORAGE.
 */
export async function fetchDueAuthorities(
  ports: FetchDuePorts,
  caller: SystemCaller,
): Promise<{ readonly fetched: number; readonly failed: number }> {
  const rows = await ports.database.read((reader) => reader.supervisedAuthorities.list({ state: 'active' }, ALL));
  let [fetched, failed] = [0, 0];
  for (const row of rows) {
    if (!(await isDue(ports, row))) continue;
    fetched += 1;
    try {
      await fetchSupervisedAuthority(ports, caller, row.id);
    } catch (error) {
      if (!(error instanceof KmcError)) throw error;
      failed += 1;
    }
  }
  return { fetched, failed };
}
