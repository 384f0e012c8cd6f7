import type { Caller } from '../../domain/caller.ts';
import { nextSealState } from '../../domain/keystore/seal-state.ts';
import { holdsRoleIn } from '../../domain/person.ts';
import { KmcError } from '../../errors.ts';
import type { Clock } from '../ports/database.ts';
import { inspectKeystore } from './inspect-keystore.ts';
import type { SealStatus, ServiceKeystore } from './service-keystore.ts';
import { ShareSession } from './share-session.ts';

export interface BeginUnsealPorts {
  readonly keystore: ServiceKeystore;
  readonly clock: Clock;
}

/**
 * Begins to collect shares, or tells of the session that is running already. The files are checked first, so that nobody
 * gives a share to a damaged keystore.
 * @returns the status with nonce, expiry and the key that shares are to be encrypted to.
 * @throws KmcError E_FORBIDDEN (neither custodian nor security-administrator), E_STATE (no keystore, open already, or in
 * error), E_INTEGRITY naming the damaged file: the state is ERROR then.
 */
export async function beginUnseal({ keystore, clock }: BeginUnsealPorts, caller: Caller): Promise<SealStatus> {
  if (!mayBegin(caller)) {
    throw new KmcError('E_FORBIDDEN', 'Only custodians and security administrators begin to unseal.');
  }
  const now = clock.now();
  if (keystore.session(now) !== undefined) return keystore.status(now);
  nextSealState(keystore.state, 'begun');
  const { engine, files } = keystore.ports;
  const inspected = await keystore.faultOnContradiction(() => files.exclusively(() => inspectKeystore(files)));
  if (inspected === undefined) throw new KmcError('E_STATE', 'There is no keystore; make it with a ceremony first.');
  const session = await ShareSession.open(engine, inspected.seal, now);
  // Two may begin at once: the second joins the session of the first.
  if (keystore.session(now) === undefined) keystore.startSession(session, now);
  else session.wipe();
  return keystore.status(now);
}

function mayBegin(caller: Caller): boolean {
  if (caller.type !== 'person') return caller.type === 'system';
  return holdsRoleIn(caller, 'custodian') || holdsRoleIn(caller, 'security-administrator');
}
