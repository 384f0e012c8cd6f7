import type { CryptoEngine } from '../../../crypto/engine.ts';
import type { KeystoreName } from '../../../domain/ceremony/step-kinds.ts';
import { KmcError } from '../../../errors.ts';
import { beginUnseal } from '../../keystore/begin-unseal.ts';
import type { CeremonyKeystore } from '../../keystore/ceremony-keystore.ts';
import { openCeremonyKeystore } from '../../keystore/open-ceremony-keystore.ts';
import { inspectKeystore } from '../../keystore/inspect-keystore.ts';
import { submitShare } from '../../keystore/submit-share.ts';
import { transferShare } from '../../keystore/transfer-share.ts';
import type { SealedShare } from '../../keystore/hand-out-shares.ts';
import type { CeremonyRun } from '../ceremony-run.ts';
import type { SeatedParticipant } from '../participant.ts';
import { stepDone, type StepAct, type StepResult } from '../step-act.ts';
import { keystoreOf } from './create-keystore.ts';

/** Opens a keystore: the first k custodians who are there give their shares, each out of the own key. */
export const openKeystore: StepAct = {
  act: async (run, step) => await openKeystoreOf(run, keystoreOf(step)),
};

/** Opens a keystore with the shares of the first k custodians; one of the service may be open already. */
export async function openKeystoreOf(run: CeremonyRun, keystore: KeystoreName): Promise<StepResult> {
  return keystore === 'ceremony' ? await openCeremony(run) : await openService(run);
}

async function openCeremony(run: CeremonyRun): Promise<StepResult> {
  const { engine, clock } = run.ports;
  const ports = { engine, clock, files: run.keystoreFiles() };
  const { pendingChange } = run;
  const opening = await openCeremonyKeystore(ports, {
    lastEpoch: lastEpoch(run),
    ...(pendingChange === undefined ? {} : { pendingChange }),
  });
  const { setId } = opening.session.seal.set;
  let keystore: CeremonyKeystore | undefined;
  try {
    for (const custodian of run.quorum()) {
      const share = await presented(engine, custodian, run.shareOf('ceremony', custodian, setId), opening.session.spki);
      keystore = await opening.submit(custodian.person, share);
    }
  } catch (error) {
    opening.cancel();
    throw error;
  }
  if (keystore === undefined) {
    opening.cancel();
    throw new KmcError('E_SHARES_FEW', 'The keystore asks for more shares than the file names custodians.');
  }
  run.useCeremonyKeystore(keystore);
  return opened(run, 'ceremony', { set: keystore.setId, epoch: String(keystore.epoch) });
}

/**
 * The epoch that the keystore must have. After a restore the step that made the shares anew went on from the epoch of the
 * last bundle, when that is higher.
 */
function lastEpoch(run: CeremonyRun): number {
  const { pendingChange, register, facts } = run;
  const noted = Number(register.ceremonyEpoch);
  const isMade = inspectKeystore(run.keystoreFiles())?.manifest.body.change === pendingChange;
  return isMade ? Math.max(noted, Number(facts.before.ceremonyEpoch)) : noted;
}

async function openService(run: CeremonyRun): Promise<StepResult> {
  const { service } = run;
  const { keystore, engine } = service;
  if (keystore.state === 'UNSEALED') return stepDone('the service keystore is open already');
  const { session } = await beginUnseal(service, run.caller);
  if (session === undefined) throw new KmcError('E_STATE', 'The service keystore does not take shares now.');
  const source = { node: service.node };
  for (const custodian of run.quorum()) {
    const share = await presented(engine, custodian, run.shareOf('service', custodian, session.setId), session.spki);
    await submitShare(service, { nonce: session.nonce, share, source }, callerOf(custodian));
  }
  return opened(run, 'service', { set: session.setId, epoch: String(keystore.epoch) });
}

async function presented(
  engine: CryptoEngine,
  custodian: SeatedParticipant,
  share: SealedShare,
  sessionSpki: Buffer,
): Promise<Buffer> {
  return await transferShare(engine, {
    holder: custodian.key,
    holderCertificateSm3: Buffer.from(share.certificate.slice('sm3:'.length), 'hex'),
    share: share.ciphertext,
    sessionSpki,
  });
}

function callerOf(custodian: SeatedParticipant) {
  return {
    type: 'person',
    id: custodian.person,
    unit: 'ceremony',
    roles: [{ role: 'custodian' }],
    certificateSm3: custodian.certificateSm3,
  } as const;
}

function opened(run: CeremonyRun, keystore: string, facts: Readonly<Record<string, string>>): StepResult {
  const people = run.quorum().map((custodian) => custodian.person);
  return stepDone(`the shares of ${people.join(', ')} opened the ${keystore} keystore`, facts);
}
