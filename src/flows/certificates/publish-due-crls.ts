import type { Caller } from '../../domain/caller.ts';
import { KmcError } from '../../errors.ts';
import { maySign } from '../authorities/issuing-authority.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import { publishCrl, type PublishCrlPorts } from './publish-crl.ts';

async function isDue(ports: PublishCrlPorts, row: AuthorityRow): Promise<boolean> {
  const latest = await ports.database.read((reader) => reader.crls.latest(row.id, 'complete'));
  if (latest === undefined) return true;
  const age = ports.clock.now().getTime() - latest.thisUpdate.getTime();
  return age >= ports.policies.revocation.crlIntervalSeconds * 1000;
}

/**
 * Makes the next CRL of every authority of this service whose last one is older than the interval of policy.
 * @returns the ids of the authorities that got one.
 * @throws KmcError as publishCrl, after the others were tried: one authority in trouble must not stop the rest.
 */
export async function publishDueCrls(ports: PublishCrlPorts, caller: Caller): Promise<readonly string[]> {
  const rows = await ports.database.read((reader) => reader.authorities.list({}));
  const published: string[] = [];
  let trouble: unknown;
  // A root has its key, and signs its CRLs, in the ceremony room.
  for (const row of rows.filter((each) => maySign(each, 'lists') && each.inventory !== 'awaited')) {
    try {
      if (!(await isDue(ports, row))) continue;
      await publishCrl(ports, caller, row.id);
      published.push(row.id);
    } catch (error) {
      if (!(error instanceof KmcError && error.code === 'E_CONFLICT')) trouble ??= error;
    }
  }
  if (trouble !== undefined) throw trouble;
  return published;
}
