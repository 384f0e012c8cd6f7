import { KmcError } from '../../errors.ts';
import { issuingAuthority, type IssuingAuthority } from '../authorities/issuing-authority.ts';
import type { Instance } from '../instance.ts';
import type { Reader } from '../ports/database.ts';
import { authorityChain } from './enrolment-answer.ts';

/** The authority that issues to devices now, with the certificates (DER) from it up to its root. */
export interface DeviceAuthority {
  readonly authority: IssuingAuthority;
  readonly chain: readonly Buffer[];
}

/**
 * The SM2 issuing CA in service; of several the newest, as after a root upgrade.
 * @throws KmcError E_STATE when there is none, E_SEALED, E_INTEGRITY.
 */
export async function deviceAuthority(
  ports: Pick<Instance, 'engine' | 'keystore'>,
  reader: Reader,
): Promise<DeviceAuthority> {
  const rows = await reader.authorities.list({ kind: 'issuing', state: 'active' });
  const [newest] = rows
    .filter(({ algorithm }) => algorithm === 'SM2')
    .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
  if (newest === undefined) throw new KmcError('E_STATE', 'No SM2 issuing CA is in service yet.');
  const authority = await issuingAuthority(ports, reader, newest.id, 'certificates');
  return { authority, chain: await authorityChain(reader, newest.id) };
}
