import type { EnrolmentOperation } from '../../domain/enrolment.ts';
import { deviceProfile, type DeviceProfile, type PolicySet } from '../../domain/policy.ts';
import { KmcError } from '../../errors.ts';
import { readPairRequest, type AdmissionPorts, type EnrolDeviceInput } from './admit-request.ts';
import { findDeviceAuthority } from './device-authority.ts';
import { enrolWithToken, type EnrolmentOutcome, type EnrolmentWay } from './enrol-with-token.ts';
import { enrolmentAnswer, isPairAnswer, type EnrolmentAnswer } from './enrolment-answer.ts';
import { issuePair } from './issue-pair.ts';

export type { EnrolDeviceInput } from './admit-request.ts';
export type { EnrolmentOutcome } from './enrol-with-token.ts';

/** The profile of a device that gets a pair. @throws KmcError E_POLICY. */
function pairProfile(policies: PolicySet, name: string): DeviceProfile & { readonly enc: string } {
  const profile = deviceProfile(policies, name);
  if (profile.enc === undefined) throw new KmcError('E_POLICY', 'The profile of the device has no certificate pair.');
  return { ...profile, enc: profile.enc };
}

/** Both certificates, the escrowed key and its envelope. */
export const PAIR: EnrolmentWay<EnrolmentAnswer> = {
  async authorityFor(ports, device) {
    pairProfile(ports.policies, device.profile);
    return await findDeviceAuthority(ports);
  },
  async issue(ports, plan, { chain, bundleVersion }) {
    const pair = await issuePair(ports, { ...plan, profile: pairProfile(ports.policies, plan.device.profile) });
    const { sign, enc, envelopedKey } = pair;
    const halves = { signCertificate: sign.certificate, encCertificate: enc.certificate, envelopedKey };
    const answer = enrolmentAnswer({ ...halves, chain, bundleVersion: String(bundleVersion) });
    return { certificates: pair, answer };
  },
  again: (stored) => (isPairAnswer(stored) ? stored : undefined),
};

/**
 * Enrols a device: proof of possession, proof of the token, the registered names; then the pair of certificates, the
 * escrowed encryption key and its envelope, all in one transaction. The same token with the same key gets the same
 * answer, octet by octet, for 72 hours; with any other key it is refused. The device's signing key is made by the device:
 * only its public half ever comes here.
 * @param operation by which the device asked.
 * @throws KmcError E_DER, E_SIZE, E_CSR, E_POINT, E_KEY, E_POP (the request); E_TOKEN (one text for every reason); E_POLICY
 * (other names than registered, or no pair in the profile); E_KEY_BLOCKED; E_STATE; E_SEALED; E_CONFLICT; E_POOL_EMPTY.
 */
export async function enrolDevice(
  ports: AdmissionPorts,
  input: EnrolDeviceInput,
  operation: Extract<EnrolmentOperation, 'enrol' | 'gmdualenroll'> = 'enrol',
): Promise<EnrolmentOutcome> {
  return await enrolWithToken(ports, readPairRequest(input.csr), input, { way: PAIR, operation });
}
