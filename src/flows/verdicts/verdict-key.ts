/** The key that signs verdicts: certified by the SM2 issuing CA in service, so that every gateway can tell it. */
import type { KeyHandle } from '../../crypto/engine.ts';
import type { Caller } from '../../domain/caller.ts';
import { KmcError } from '../../errors.ts';
import {
  findDelegates,
  isDelegateDue,
  makeDelegate,
  type DelegateKind,
  type DelegatePorts,
} from '../certificates/delegate.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import type { Reader } from '../ports/database.ts';

const VERDICT_KEY: DelegateKind = { profile: 'communication', keyPrefix: 'verdict' };

export interface VerdictKey {
  readonly key: KeyHandle;
  /** DER. */
  readonly certificate: Buffer;
}

/** The SM2 issuing CA in service; of several the newest. */
async function issuerOfVerdicts(reader: Reader): Promise<AuthorityRow | undefined> {
  const rows = await reader.authorities.list({ kind: 'issuing', state: 'active' });
  const [newest] = rows
    .filter(({ algorithm, keyId }) => algorithm === 'SM2' && keyId !== undefined)
    .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
  return newest;
}

/**
 * Makes the key that signs verdicts when there is none, or when a third of the last one's life is left.
 * @returns true when one was made; before there is an SM2 issuing CA there is nobody to certify it.
 * @throws KmcError E_SEALED, E_POLICY, E_LINT.
 */
export async function renewVerdictKey(ports: DelegatePorts, caller: Caller): Promise<boolean> {
  const authority = await ports.database.read((reader) => issuerOfVerdicts(reader));
  if (authority === undefined || !(await isDelegateDue(ports, VERDICT_KEY, authority))) return false;
  await makeDelegate(ports, caller, authority, {
    ...VERDICT_KEY,
    algorithm: 'SM2',
    commonName: `Verdicts of ${authority.id}`,
    recorded: { action: 'verdict.signer', subject: 'authority' },
  });
  return true;
}

/**
 * Opens the key; makes it when nobody asked for a verdict before.
 * @throws KmcError E_SEALED; E_STATE before an SM2 issuing CA is in service.
 */
export async function openVerdictKey(ports: DelegatePorts): Promise<VerdictKey> {
  const find = () =>
    ports.database.read(async (reader) => {
      const authority = await issuerOfVerdicts(reader);
      if (authority === undefined) return undefined;
      const [newest] = await findDelegates(reader, VERDICT_KEY, authority.id, ports.clock.now());
      return newest;
    });
  let found = await find();
  if (found === undefined && (await renewVerdictKey(ports, { type: 'system', id: ports.node }))) found = await find();
  if (found === undefined)
    throw new KmcError('E_STATE', 'No SM2 issuing CA is in service yet: nobody can sign verdicts.');
  return { key: await ports.keystore.caKey(found.keyId), certificate: found.certificate };
}
