import type { KeyHandle } from '../../../crypto/engine.ts';
import { spkiSm3 } from '../../../crypto/spki.ts';
import { stepText, type CeremonyStep } from '../../../domain/ceremony/ceremony-file.ts';
import type { CeremonyRun } from '../ceremony-run.ts';
import { stepDone, type StepAct } from '../step-act.ts';
import { madeChange } from './keystore-change.ts';

/** Makes a root key in the ceremony keystore; it never leaves it. A key that was made before a cut is the key. */
export const makeRootKey: StepAct = {
  async act(run, step) {
    const keyId = stepText(step, 'key');
    const key = await madeOrNew(run, step);
    const { epoch } = run.ceremonyKeystore();
    run.noteEpoch(epoch);
    const text = `made the ${key.algorithm} root key ${keyId}`;
    return stepDone(text, { key: keyId, kid: spkiSm3(key.spki), epoch: String(epoch) });
  },
  recall: (run, _step, { facts }) => run.noteEpoch(Number(facts['epoch'])),
};

async function madeOrNew(run: CeremonyRun, step: CeremonyStep): Promise<KeyHandle> {
  const keystore = run.ceremonyKeystore();
  const keyId = stepText(step, 'key');
  if ((await madeChange(run, step, 'ceremony')) !== undefined) return await keystore.rootKey(keyId);
  const algorithm = stepText(step, 'algorithm') === 'RSA' ? 'RSA' : 'SM2';
  return await keystore.generateRootKey({ change: run.changeId(step), keyId, algorithm });
}
