import { KEY_ALGORITHMS } from '../../../crypto/algorithms.ts';
import { keyIdentifierSha1 } from '../../../crypto/spki.ts';
import { stepText } from '../../../domain/ceremony/ceremony-file.ts';
import { certificateProfile } from '../../../domain/policy.ts';
import { signedTime } from '../../../domain/signed-body.ts';
import { formatName } from '../../../x509/name.ts';
import { prepareCertificate } from '../../certificates/prepare-certificate.ts';
import { signAndWrite, stepSerialNumber, stepSubject, windowStart } from '../ceremony-certificate.ts';
import type { StepAct } from '../step-act.ts';

/** Signs the certificate of a new root with its own key. The plan states everything but the key, which is not there yet. */
export const selfSign: StepAct = {
  plan(planning, step) {
    const profile = stepText(step, 'profile');
    const { validitySeconds } = certificateProfile(planning.setting.policies, profile);
    const notBefore = windowStart(planning);
    const subject = formatName(stepSubject(step));
    return {
      profile,
      serial: stepSerialNumber(planning, step).toString('hex'),
      issuer: subject,
      subject,
      notBefore: signedTime(notBefore),
      notAfter: signedTime(new Date(notBefore.getTime() + validitySeconds * 1000)),
    };
  },
  async act(run, step) {
    const keyId = stepText(step, 'key');
    const key = await run.certifyingKey(keyId);
    const subject = stepSubject(step);
    const signatureAlgorithm = KEY_ALGORITHMS[key.algorithm].signatures[0];
    const { file, setting } = run.facts;
    const prepare = () =>
      prepareCertificate(
        setting.policies,
        stepText(step, 'profile'),
        {
          serialNumber: stepSerialNumber(run.facts, step),
          issuer: { id: keyId, name: subject, keyIdentifier: keyIdentifierSha1(key.spki), signatureAlgorithm },
          subject,
          spki: key.spki,
          notBefore: windowStart(run.facts),
        },
        undefined,
        file.skipLints.map((one) => one.lint),
      );
    return await signAndWrite(run, step, { prepare, key });
  },
};
