import type { Caller } from '../../domain/caller.ts';
import { COMPLETE, DELTA, type CrlScope } from '../../domain/crl-scope.ts';
import { KmcError } from '../../errors.ts';
import { maySign } from '../authorities/issuing-authority.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import type { Reader } from '../ports/database.ts';
import { crlScopes } from './crl-scopes.ts';
import { publishCrl, type PublishCrlPorts } from './publish-crl.ts';

export interface PublishedCrl {
  readonly authorityId: string;
  readonly scope: CrlScope;
}

/** Devices whose revocation does not wait for the interval (C.2): everybody's peers. */
function hubProfiles({ policies }: PublishCrlPorts): string[] {
  return Object.entries(policies.deviceProfiles).flatMap(([name, { tier }]) => (tier === 'hub' ? [name] : []));
}

async function isDue(ports: PublishCrlPorts, reader: Reader, { id }: AuthorityRow, scope: CrlScope): Promise<boolean> {
  const { crlIntervalSeconds, deltaCrlIntervalSeconds } = ports.policies.revocation;
  const age = (since: Date): number => (ports.clock.now().getTime() - since.getTime()) / 1000;
  const latest = await reader.crls.latestFacts(id, scope);
  if (scope === DELTA) {
    const complete = await reader.crls.latestFacts(id, COMPLETE);
    if (complete === undefined) return false;
    // A complete CRL says all that a delta of the same moment would say.
    return [latest, complete].every((crl) => crl === undefined || age(crl.thisUpdate) >= deltaCrlIntervalSeconds);
  }
  if (latest === undefined || age(latest.thisUpdate) >= crlIntervalSeconds) return true;
  return scope === COMPLETE && (await reader.certificates.wasRevokedSince(id, latest.thisUpdate, hubProfiles(ports)));
}

/**
 * Makes the next CRL of every authority and scope whose last one is older than the interval of policy, and at once the
 * complete CRL of an authority that revoked a hub device.
 * @returns what was published.
 * @throws KmcError as publishCrl, after the others were tried: one authority in trouble must not stop the rest.
 */
export async function publishDueCrls(ports: PublishCrlPorts, caller: Caller): Promise<readonly PublishedCrl[]> {
  const rows = await ports.database.read((reader) => reader.authorities.list({}));
  const published: PublishedCrl[] = [];
  let trouble: unknown;
  // A root has its key, and signs its CRLs, in the ceremony room.
  for (const row of rows.filter((each) => maySign(each, 'lists') && each.inventory !== 'awaited')) {
    for (const scope of crlScopes(ports.policies, row)) {
      try {
        if (!(await ports.database.read((reader) => isDue(ports, reader, row, scope)))) continue;
        await publishCrl(ports, caller, row.id, scope);
        published.push({ authorityId: row.id, scope });
      } catch (error) {
        if (!(error instanceof KmcError && error.code === 'E_CONFLICT')) trouble ??= error;
      }
    }
  }
  if (trouble !== undefined) throw trouble;
  return published;
}
