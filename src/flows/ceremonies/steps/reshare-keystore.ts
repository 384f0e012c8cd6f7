import { accountInForce, holdsRoleIn } from '../../../domain/person.ts';
import { KmcError } from '../../../errors.ts';
import type { TranscriptFile } from '../../../domain/ceremony/transcript.ts';
import { reshareKeystore } from '../../keystore/reshare-keystore.ts';
import type { CeremonyStep } from '../../../domain/ceremony/ceremony-file.ts';
import type { HandOut } from '../../keystore/hand-out-shares.ts';
import type { CeremonyRun } from '../ceremony-run.ts';
import type { StepAct } from '../step-act.ts';
import { handOutOf, keystoreOf, peopleOf, recallEpoch } from './create-keystore.ts';
import { discardShares, handedOutFiles, madeChange, type MadeChange } from './keystore-change.ts';

/** Gives a keystore a new share set for the certificates now in force; the shares before open nothing afterwards. */
export const reshareKeystoreStep: StepAct = {
  async act(run, step) {
    const files: TranscriptFile[] = [];
    const handOut = handOutOf(run, step, files);
    const keystore = keystoreOf(step);
    // Of several keystores none may be made over before all who get shares have been looked at.
    if (run.ports.service !== undefined) await requireCustodians(run);
    const made = await madeChange(run, step, keystore);
    if (made !== undefined) files.push(...handedOutFiles(run, step, peopleOf(handOut)));
    else discardShares(run, step, peopleOf(handOut));
    const reshare = keystore === 'service' ? reshareService : reshareCeremony;
    const { setId, epoch } = made ?? (await reshare(run, step, handOut));
    if (keystore === 'ceremony') run.noteEpoch(epoch);
    const text = `handed out ${handOut.holders.length} new shares of the ${keystore} keystore; the old ones are void`;
    return { text, files, facts: { set: setId, epoch: String(epoch) } };
  },
  recall: recallEpoch,
};

type Reshared = Pick<MadeChange, 'setId' | 'epoch'>;

async function reshareService(run: CeremonyRun, step: CeremonyStep, handOut: HandOut): Promise<Reshared> {
  const { service } = run;
  const input = { ...handOut, change: run.changeId(step), source: { node: service.node } };
  return await reshareKeystore(service, input, run.caller);
}

async function reshareCeremony(run: CeremonyRun, step: CeremonyStep, handOut: HandOut): Promise<Reshared> {
  const keystore = run.ceremonyKeystore();
  keystore.continueFrom(Number(run.facts.before.ceremonyEpoch));
  const setId = await keystore.reshare(run.changeId(step), handOut);
  return { setId, epoch: keystore.epoch };
}

/** Where the service is at hand, those who get shares are custodians of it, with these certificates. @throws KmcError E_FORBIDDEN. */
async function requireCustodians({ service, facts }: CeremonyRun): Promise<void> {
  const recipients = facts.file.quorum.recipients?.holders ?? [];
  const at = service.clock.now();
  await service.database.read(async ({ people }) => {
    for (const certificate of recipients) {
      const person = await people.findByCertificate(certificate);
      const isFit = person?.status === 'active' && accountInForce(person, certificate, at) !== undefined;
      if (isFit && holdsRoleIn(person, 'custodian')) continue;
      throw new KmcError(
        'E_FORBIDDEN',
        'A recipient of shares is no custodian of this instance: appoint the person first.',
      );
    }
  });
}
