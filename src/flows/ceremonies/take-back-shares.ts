import type { AwaitedShare } from '../../domain/ceremony/hand-outs.ts';
import { awaitedShares } from '../../domain/ceremony/hand-outs.ts';
import { holderOfIndex } from '../../domain/keystore/seal-file.ts';
import { KmcError } from '../../errors.ts';
import { inspectKeystore } from '../keystore/inspect-keystore.ts';
import type { CeremonyRun } from './ceremony-run.ts';
import type { SeatedParticipant } from './participant.ts';
import { stepDone } from './step-act.ts';
import type { StepJournal } from './step-journal.ts';
import { filesOfKeystore } from './steps/keystore-change.ts';

/**
 * Lets every holder who is there give back the share that the ceremony handed out, each out of the own key or from paper,
 * and holds it against the public list of the set (C18). The shares are not put together.
 * @returns those that are still awaited.
 * @throws KmcError E_SHARE_BAD, E_SHARE_SET, E_DECRYPT, E_NOT_FOUND, after a record of it: `resume` repeats it.
 */
export async function takeBackShares(run: CeremonyRun, journal: StepJournal): Promise<readonly AwaitedShare[]> {
  const { steps } = run.facts.file;
  for (const awaited of awaitedShares(steps, journal.records)) {
    const holder = run.facts.seated.find((one) => one.person === awaited.person);
    if (holder === undefined) continue;
    const about = { kind: 'share', step: awaited.step, operator: awaited.person } as const;
    const result = await journal.attempt(about, async () => {
      const index = await requireShare(run, awaited, holder);
      const { keystore, set } = awaited;
      const text = `gave back share ${index} of the ${keystore} keystore: it is the one that was handed out`;
      return stepDone(text, { keystore, set, index: String(index) });
    });
    journal.write({ ...about, outcome: 'success', ...result });
  }
  return awaitedShares(steps, journal.records);
}

/** The index of the share, when it is the holder's of the set that is in force. */
async function requireShare(
  run: CeremonyRun,
  { keystore, set, person }: AwaitedShare,
  holder: SeatedParticipant,
): Promise<number> {
  const { engine } = run;
  const files = filesOfKeystore(run, keystore);
  const seal = (await files.exclusively(() => inspectKeystore(files)))?.seal;
  if (seal?.set.setId !== set) throw new KmcError('E_SHARE_SET', 'The keystore has another share set by now.');
  const sealed = run.shareOf(keystore, holder, set);
  const certificate = Buffer.from(sealed.certificate.slice('sm3:'.length), 'hex');
  const share = await engine.decryptShare(holder.key, sealed.ciphertext, certificate);
  try {
    if (holderOfIndex(seal, share.index).person !== person && share.setId === set) {
      throw new KmcError('E_SHARE_BAD', `Share ${share.index} belongs to another holder than the one who gave it.`);
    }
    engine.destroySecret(await engine.combineShares([share], seal.set));
    throw new KmcError('E_INTEGRITY', 'One share alone makes the key. Stop the ceremony.');
  } catch (error) {
    // Every share is checked before they are counted: too few means that this one is right.
    if (error instanceof KmcError && error.code === 'E_SHARES_FEW') return share.index;
    throw error;
  } finally {
    engine.destroySecret(share.secret);
  }
}
