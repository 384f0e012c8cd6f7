import type { DeviceCaller } from '../../domain/caller.ts';
import { KmcError } from '../../errors.ts';
import { sm3Fingerprint } from '../../x509/certificate.ts';
import type { Clock, Database } from '../ports/database.ts';
import { findDeviceSigner } from './signer.ts';

/**
 * The device whose certificate a channel was opened with: TLS, or a TLCP front, has seen that the peer holds its key.
 * @param certificate DER.
 * @returns undefined when it is no certificate of a device of this service.
 * @throws KmcError E_FORBIDDEN when the certificate is not in force, or its device not in service.
 */
export async function deviceOfCertificate(
  ports: { readonly database: Database; readonly clock: Clock },
  certificate: Buffer,
): Promise<DeviceCaller | undefined> {
  const digest = sm3Fingerprint(certificate);
  const now = ports.clock.now();
  try {
    return (await ports.database.read((reader) => findDeviceSigner(reader, digest, now)))?.caller;
  } catch (error) {
    if (!(error instanceof KmcError) || error.code !== 'E_UNAUTHENTICATED') throw error;
    throw new KmcError('E_FORBIDDEN', 'The certificate of the channel is not in force, or its device not in service.');
  }
}
