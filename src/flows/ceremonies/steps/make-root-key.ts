import { spkiSm3 } from '../../../crypto/spki.ts';
import { stepText } from '../../../domain/ceremony/ceremony-file.ts';
import { stepDone, type StepAct } from '../step-act.ts';

/** Makes a root key in the ceremony keystore; it never leaves it. */
export const makeRootKey: StepAct = {
  async act(run, step) {
    const keyId = stepText(step, 'key');
    const algorithm = stepText(step, 'algorithm') === 'RSA' ? 'RSA' : 'SM2';
    const keystore = run.ceremonyKeystore();
    const key = await keystore.generateRootKey({ change: run.changeId(step), keyId, algorithm });
    run.noteEpoch(keystore.epoch);
    const kid = spkiSm3(key.spki);
    return stepDone(`made the ${algorithm} root key ${keyId}`, { key: keyId, kid, epoch: String(keystore.epoch) });
  },
};
