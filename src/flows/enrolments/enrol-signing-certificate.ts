import { deviceProfile, certificateProfile } from '../../domain/policy.ts';
import { hierarchyOf } from '../../domain/profile.ts';
import { readProvenRequest, type AdmissionPorts, type EnrolDeviceInput } from './admit-request.ts';
import { findDeviceAuthority } from './device-authority.ts';
import { enrolWithToken, type EnrolmentOutcome, type EnrolmentWay } from './enrol-with-token.ts';
import type { SigningAnswer } from './enrolment-answer.ts';
import { issueSigningCertificate } from './issue-signing-certificate.ts';

/** The signing certificate alone, under the hierarchy of its profile. */
export const SIGNING: EnrolmentWay<SigningAnswer> = {
  async authorityFor(ports, device) {
    const { sign } = deviceProfile(ports.policies, device.profile);
    return await findDeviceAuthority(ports, hierarchyOf(certificateProfile(ports.policies, sign)));
  },
  async issue(ports, plan, { chain }) {
    const { sign: profile } = deviceProfile(ports.policies, plan.device.profile);
    const certificates = await issueSigningCertificate(ports, { ...plan, profile });
    return { certificates, answer: { signCertificate: certificates.sign.certificate, chain } };
  },
  again: ({ signCertificate, chain }) => ({ signCertificate, chain }),
};

/**
 * Enrols a device for its signing certificate alone (simpleenroll of EST): of one that has a single certificate, or that
 * asks for its encryption certificate afterwards. Token, names and repeats as in `enrolDevice`.
 * @throws KmcError as enrolDevice; E_POLICY also for another kind of key than the profile's.
 */
export async function enrolSigningCertificate(
  ports: AdmissionPorts,
  input: EnrolDeviceInput,
): Promise<EnrolmentOutcome<SigningAnswer>> {
  const request = readProvenRequest(input.csr);
  return await enrolWithToken(ports, request, input, { way: SIGNING, operation: 'simpleenroll' });
}
