import type { TranscriptFile } from '../../../domain/ceremony/transcript.ts';
import { reshareKeystore } from '../../keystore/reshare-keystore.ts';
import type { CeremonyStep } from '../../../domain/ceremony/ceremony-file.ts';
import type { HandOut } from '../../keystore/hand-out-shares.ts';
import type { CeremonyRun } from '../ceremony-run.ts';
import type { StepAct } from '../step-act.ts';
import { handOutOf, keystoreOf } from './create-keystore.ts';

/** Gives a keystore a new share set for the certificates now in force; the shares before open nothing afterwards. */
export const reshareKeystoreStep: StepAct = {
  async act(run, step) {
    const files: TranscriptFile[] = [];
    const handOut = handOutOf(run, step, files);
    const keystore = keystoreOf(step);
    const facts =
      keystore === 'service' ? await reshareService(run, step, handOut) : await reshareCeremony(run, step, handOut);
    const text = `handed out ${handOut.holders.length} new shares of the ${keystore} keystore; the old ones are void`;
    return { text, files, facts };
  },
};

type Reshared = Readonly<Record<'set' | 'epoch', string>>;

async function reshareService(run: CeremonyRun, step: CeremonyStep, handOut: HandOut): Promise<Reshared> {
  const { service } = run;
  const input = { ...handOut, change: run.changeId(step), source: { node: service.node } };
  const { setId, epoch } = await reshareKeystore(service, input, run.caller);
  return { set: setId, epoch: String(epoch) };
}

async function reshareCeremony(run: CeremonyRun, step: CeremonyStep, handOut: HandOut): Promise<Reshared> {
  const keystore = run.ceremonyKeystore();
  const set = await keystore.reshare(run.changeId(step), handOut);
  run.noteEpoch(keystore.epoch);
  return { set, epoch: String(keystore.epoch) };
}
