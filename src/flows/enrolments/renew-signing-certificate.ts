import type { Caller } from '../../domain/caller.ts';
import { deviceProfile } from '../../domain/policy.ts';
import { KmcError } from '../../errors.ts';
import type { Reader } from '../ports/database.ts';
import { readProvenRequest, type AdmissionPorts } from './admit-request.ts';
import { SIGNING } from './enrol-signing-certificate.ts';
import type { EnrolmentWay } from './enrol-with-token.ts';
import type { SigningAnswer } from './enrolment-answer.ts';
import { issueSigningCertificate } from './issue-signing-certificate.ts';
import { renewWithCertificate, type RenewalScene, type RenewDeviceInput } from './renew-with-certificate.ts';

/** When the crypto-period of the key in the request ends; nothing for a key that was never certified. */
async function endOfKey(ports: AdmissionPorts, reader: Reader, scene: RenewalScene): Promise<Date | undefined> {
  const rows = await reader.certificates.findByKey(scene.spkiSm3);
  if (rows.length === 0) return undefined;
  const first = Math.min(...rows.map(({ notBefore }) => notBefore.getTime()));
  return new Date(first + ports.policies.cryptoPeriods['device-signing'].originateSeconds * 1000);
}

/** As SIGNING, with a certificate that does not outlive the crypto-period of its key. */
function signingUntil(keyEnd: Date): EnrolmentWay<SigningAnswer> {
  return {
    ...SIGNING,
    async issue(ports, plan, { chain }) {
      const { sign: profile } = deviceProfile(ports.policies, plan.device.profile);
      const certificates = await issueSigningCertificate(ports, { ...plan, profile, keyEnd });
      return { certificates, answer: { signCertificate: certificates.sign.certificate, chain } };
    },
  };
}

/**
 * Renews the signing certificate of a device alone (simplereenroll of EST): for a new key, or for the same key until the
 * end of its crypto-period. The same key gets the same answer for 72 hours.
 * @throws KmcError as renewDevice; E_PERIOD when the crypto-period of the key is over.
 */
export async function renewSigningCertificate(
  ports: AdmissionPorts,
  caller: Caller,
  input: RenewDeviceInput,
): Promise<SigningAnswer> {
  return await renewWithCertificate(ports, caller, readProvenRequest(input.csr), input, {
    operation: 'simplereenroll',
    gift: 'signing',
    async wayFor(reader, scene) {
      const end = await endOfKey(ports, reader, scene);
      if (end === undefined) return SIGNING;
      if (end <= scene.at) throw new KmcError('E_PERIOD', 'The crypto-period of the key is over. Make a new key pair.');
      return signingUntil(end);
    },
  });
}
