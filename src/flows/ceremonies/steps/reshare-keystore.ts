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
  const setId = await keystore.reshare(run.changeId(step), handOut);
  return { setId, epoch: keystore.epoch };
}
