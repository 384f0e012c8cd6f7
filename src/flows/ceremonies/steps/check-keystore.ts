import { KEY_ALGORITHMS, verifySignature } from '../../../crypto/algorithms.ts';
import { randomBytes } from '../../../crypto/random.ts';
import { spkiSm3 } from '../../../crypto/spki.ts';
import { KmcError } from '../../../errors.ts';
import { stepDone, type StepAct } from '../step-act.ts';

const MESSAGE_OCTETS = 32;

/** Opens every root key and signs a random message with it: each is there and is the one that its public key says. */
export const checkKeystore: StepAct = {
  async act(run) {
    const keystore = run.ceremonyKeystore();
    const facts: Record<string, string> = {};
    for (const { keyId } of keystore.rootKeys()) {
      const { algorithm, spki } = await keystore.rootKey(keyId);
      const signing = KEY_ALGORITHMS[algorithm].defaultSignature;
      const message = randomBytes(MESSAGE_OCTETS);
      const signature = await keystore.sign(keyId, signing, message);
      if (!verifySignature(signing, spki, message, signature)) {
        throw new KmcError('E_INTEGRITY', `The root key ${keyId} does not sign as its public key says.`);
      }
      facts[`kid-${keyId}`] = spkiSm3(spki);
    }
    for (const { key, value } of keystore.checkValues) facts[`kcv-${key}`] = value;
    return stepDone('every root key opens and signs', facts);
  },
};
