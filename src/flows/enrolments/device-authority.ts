import { KmcError } from '../../errors.ts';
import { openAuthority, requireSigningAuthority, type IssuingAuthority } from '../authorities/issuing-authority.ts';
import type { Instance } from '../instance.ts';
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
  ports: Pick<Instance, 'database' | 'engine' | 'keystore'>,
): Promise<DeviceAuthority> {
  const { row, chain } = await ports.database.read(async (reader) => {
    const rows = await reader.authorities.list({ kind: 'issuing', state: 'active' });
    const [newest] = rows
      .filter(({ algorithm }) => algorithm === 'SM2')
      .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
    if (newest === undefined) throw new KmcError('E_STATE', 'No SM2 issuing CA is in service yet.');
    return {
      row: await requireSigningAuthority(reader, newest.id, 'certificates'),
      chain: await authorityChain(reader, newest.id),
    };
  });
  return { authority: await openAuthority(ports, row), chain };
}
