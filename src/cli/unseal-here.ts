/** Opens the service keystore inside a command, with the shares of custodians who are there. */
import type { PersonCaller } from '../domain/caller.ts';
import { beginUnseal } from '../flows/keystore/begin-unseal.ts';
import { submitShare } from '../flows/keystore/submit-share.ts';
import { transferShare } from '../flows/keystore/transfer-share.ts';
import type { Participant } from '../flows/ceremonies/participant.ts';
import type { Instance } from '../flows/instance.ts';
import { KmcError } from '../errors.ts';
import { sm3Fingerprint } from '../x509/certificate.ts';
import type { CommandContext } from './command.ts';
import { loadParticipant, namedFolder } from './participants.ts';

/**
 * Unseals with the participants of the command line; nothing is done when it is open already.
 * @throws KmcError E_SEALED when their shares are not enough, and as submitShare.
 */
export async function unsealForCommand(
  context: Pick<CommandContext, 'passphrase'>,
  instance: Instance,
  options: readonly string[],
): Promise<void> {
  const participants: Participant[] = [];
  for (const option of options) participants.push(await loadParticipant(context, instance.engine, namedFolder(option)));
  await unsealWith(instance, participants);
}

/** Unseals with the shares that these people hold. @throws KmcError E_SEALED when they are not enough, and as submitShare. */
export async function unsealWith(instance: Instance, participants: readonly Participant[]): Promise<void> {
  const { keystore, engine } = instance;
  if (keystore.state === 'UNSEALED') return;
  const { session } = await beginUnseal(instance, { type: 'system', id: 'kmc' });
  for (const { key, certificate, shares } of participants) {
    if (session === undefined || keystore.state !== 'UNSEALING' || shares.service === undefined) continue;
    const sealed = shares.service;
    const share = await transferShare(engine, {
      holder: key,
      holderCertificateSm3: Buffer.from(sealed.certificate.slice('sm3:'.length), 'hex'),
      share: sealed.ciphertext,
      sessionSpki: session.spki,
    });
    const caller: PersonCaller = {
      type: 'person',
      id: sealed.person,
      unit: 'command line',
      roles: [{ role: 'custodian' }],
      certificateSm3: sm3Fingerprint(certificate),
    };
    await submitShare(instance, { nonce: session.nonce, share, source: { node: instance.node } }, caller);
  }
  const { state } = keystore.status(instance.clock.now());
  if (state !== 'UNSEALED') throw new KmcError('E_SEALED', 'These shares are not enough to open the service keystore.');
}
