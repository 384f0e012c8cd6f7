import type { Caller } from '../../domain/caller.ts';
import { DELTA } from '../../domain/crl-scope.ts';
import type { CrlRow } from '../ports/crls.ts';
import { crlScopes } from './crl-scopes.ts';
import { publishCrl, type PublishCrlPorts } from './publish-crl.ts';

/**
 * Makes the next complete CRL of an authority and the next of each of its shards now. A delta would say nothing beside
 * them: the next one follows at its time.
 * @returns the complete CRL first.
 * @throws KmcError as publishCrl; what was published before the fault stays.
 */
export async function publishAllCrls(
  ports: PublishCrlPorts,
  caller: Caller,
  authorityId: string,
): Promise<readonly [CrlRow, ...CrlRow[]]> {
  const complete = await publishCrl(ports, caller, authorityId);
  const authority = await ports.database.read((reader) => reader.authorities.find(authorityId));
  const [, ...parts] = authority === undefined ? [] : crlScopes(ports.policies, authority);
  const shards: CrlRow[] = [];
  for (const scope of parts.filter((part) => part !== DELTA)) {
    shards.push(await publishCrl(ports, caller, authorityId, scope));
  }
  return [complete, ...shards];
}
