import type { CryptoEngine } from '../crypto/engine.ts';
import { signOrder } from '../domain/fleet/reissue-order.ts';
import { parseCertificate, sm3Fingerprint } from '../x509/certificate.ts';
import type { DeviceFolder } from './device-folder.ts';
import { certificateIn, certificationRequest, openKey, signingKey } from './device-keys.ts';
import { setInForce } from './set-in-force.ts';

/** An order as it is handed in: base64, and `sm3:<hex>` of the certificate. */
export interface WrittenOrder {
  readonly csr: string;
  readonly certificate: string;
  readonly signature: string;
}

/**
 * Makes the order of a device for a list: the request of its pending set, which the next renewal sends as well, signed by
 * the key that it has.
 * @throws KmcError E_NOT_FOUND (not enrolled), E_PASSPHRASE, E_STORAGE.
 */
export async function makeOrder(engine: CryptoEngine, folder: DeviceFolder, passphrase: Buffer): Promise<WrittenOrder> {
  const current = setInForce(folder);
  const certificate = certificateIn(current, 'signCertificate');
  const { subject, subjectAltName = [] } = parseCertificate(certificate);
  const pending = folder.pending();
  const [key, next] = [
    await openKey(engine, current.need('signKey'), passphrase),
    await signingKey(engine, pending, passphrase),
  ];
  try {
    const names = { subject: subject.der, alternativeNames: subjectAltName };
    const csr = await certificationRequest(engine, pending, next, names);
    const signature = await signOrder(engine, key, csr);
    return {
      csr: csr.toString('base64'),
      certificate: sm3Fingerprint(certificate),
      signature: signature.toString('base64'),
    };
  } finally {
    engine.destroyKey(key);
    engine.destroyKey(next);
  }
}
