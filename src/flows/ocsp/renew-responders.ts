import type { Caller } from '../../domain/caller.ts';
import { KmcError } from '../../errors.ts';
import { maySign } from '../authorities/issuing-authority.ts';
import { isDelegateDue, makeDelegate, type DelegatePorts } from '../certificates/delegate.ts';
import { OCSP_RESPONDER } from './ocsp-responder.ts';

/**
 * Gives every authority of this service that certifies a new OCSP responder when it has none, or when a third of the last
 * one's life is left. The key has the authority's algorithm: an RSA hierarchy is answered for with RSA, an SM2 one with SM2.
 * @returns the ids of the authorities that got one.
 * @throws KmcError E_SEALED, E_POLICY, E_LINT, after the others were tried.
 */
export async function renewResponders(ports: DelegatePorts, caller: Caller): Promise<readonly string[]> {
  const rows = await ports.database.read((reader) => reader.authorities.list({}));
  const renewed: string[] = [];
  let trouble: unknown;
  for (const row of rows.filter((each) => maySign(each, 'certificates'))) {
    try {
      if (!(await isDelegateDue(ports, OCSP_RESPONDER, row))) continue;
      await makeDelegate(ports, caller, row, {
        ...OCSP_RESPONDER,
        algorithm: row.algorithm,
        commonName: `OCSP responder of ${row.id}`,
        recorded: { action: 'ocsp.signer', subject: 'crl' },
      });
      renewed.push(row.id);
    } catch (error) {
      if (!(error instanceof KmcError)) throw error;
      trouble ??= error;
    }
  }
  if (trouble !== undefined) throw trouble;
  return renewed;
}
