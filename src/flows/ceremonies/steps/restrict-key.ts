import { stepText } from '../../../domain/ceremony/ceremony-file.ts';
import { KmcError } from '../../../errors.ts';
import { stepDone, type StepAct } from '../step-act.ts';

/**
 * From now on the key signs CRLs and no certificate (RFC 8649, rule 2). It stands in the register that the closed bundle
 * hands on, and every later ceremony refuses to plan a certificate under it.
 */
export const restrictKey: StepAct = {
  async act(run, step) {
    const keyId = stepText(step, 'key');
    if (
      !run
        .ceremonyKeystore()
        .rootKeys()
        .some((key) => key.keyId === keyId)
    ) {
      throw new KmcError('E_NOT_FOUND', `There is no root key ${keyId} in the ceremony keystore.`);
    }
    run.restrict(keyId);
    return stepDone(`${keyId} signs only CRLs from now on`, { key: keyId, to: stepText(step, 'to') });
  },
  recall: (run, step) => run.restrict(stepText(step, 'key')),
};
