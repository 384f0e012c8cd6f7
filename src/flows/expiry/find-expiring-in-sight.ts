import type { Caller } from '../../domain/caller.ts';
import { COMPLETE } from '../../domain/crl-scope.ts';
import type { Expiring } from '../../domain/expiry.ts';
import { regionSight } from '../../domain/region-sight.ts';
import { KmcError } from '../../errors.ts';
import { findExpiring, type FindExpiringPorts } from './find-expiring.ts';

/**
 * What ends soon as far as the caller sees it: for roles of the centre all of it; for an ra-operator the certificates of
 * devices of the own region, the own certificate, authorities, and CRLs but for the shards of other regions.
 * @throws KmcError E_FORBIDDEN unless the caller is a person; E_STORAGE.
 */
export async function findExpiringInSight(ports: FindExpiringPorts, caller: Caller): Promise<Expiring[]> {
  if (caller.type !== 'person') throw new KmcError('E_FORBIDDEN', 'Only registered persons read what ends soon.');
  const sight = regionSight(caller);
  if (sight === 'all') return await findExpiring(ports);
  const found: Expiring[] = [];
  for (const region of sight) found.push(...(await findExpiring(ports, ['device-certificate'], { region })));
  found.push(...(await findExpiring(ports, ['person-certificate'], { personId: caller.id })));
  const published = await findExpiring(ports, ['authority', 'crl', 'root-crl']);
  const isForAll = ({ kind, name }: Expiring) => kind === 'authority' || name === COMPLETE || sight.includes(name);
  return [...found, ...published.filter(isForAll)];
}
