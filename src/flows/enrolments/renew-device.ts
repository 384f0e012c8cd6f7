import type { Caller } from '../../domain/caller.ts';
import type { EnrolmentOperation } from '../../domain/enrolment.ts';
import { KmcError } from '../../errors.ts';
import { readPairRequest, type AdmissionPorts } from './admit-request.ts';
import { PAIR } from './enrol-device.ts';
import type { EnrolmentAnswer } from './enrolment-answer.ts';
import { renewWithCertificate, type RenewDeviceInput } from './renew-with-certificate.ts';

/**
 * Renews the pair of a device that signs its request with the certificate it has: a new signing key, made by the device,
 * and a new escrowed encryption key, both or none. The same new key gets the same answer for 72 hours.
 * @param operation by which the device asked.
 * @throws KmcError E_DER, E_SIZE, E_CSR, E_POINT, E_KEY, E_POP (the request); E_FORBIDDEN (no device); E_POLICY (another
 * subject, or no pair in the profile); E_KEY_BLOCKED (a key that is certified already, of an authority, of another device,
 * of a revoked certificate); E_STATE; E_SEALED; E_CONFLICT.
 */
export async function renewDevice(
  ports: AdmissionPorts,
  caller: Caller,
  input: RenewDeviceInput,
  operation: Extract<EnrolmentOperation, 'renew' | 'gmdualenroll'> = 'renew',
): Promise<EnrolmentAnswer> {
  return await renewWithCertificate(ports, caller, readPairRequest(input.csr), input, {
    operation,
    gift: 'pair',
    wayFor: () => Promise.resolve(PAIR),
    async requireKey(reader, { spkiSm3 }) {
      if ((await reader.certificates.findByKey(spkiSm3)).length === 0) return;
      throw new KmcError('E_KEY_BLOCKED', 'A pair is renewed with a new signing key. Make a new key pair.');
    },
  });
}
