/**
 * A request for certificates of another generation that a device made offline (bulk re-issue): its CSR, and a signature of
 * the key that it has, so that nobody else can order certificates in its name.
 */
import { KEY_ALGORITHMS, SIGNATURE_ALGORITHMS, verifySignature } from '../../crypto/algorithms.ts';
import type { CryptoEngine, KeyHandle } from '../../crypto/engine.ts';
import { parseSpki } from '../../crypto/spki.ts';
import { KmcError } from '../../errors.ts';

const PREFIX = Buffer.from('KMC-REISSUE-V1\0', 'ascii');

export interface ReissueOrder {
  readonly deviceId: string;
  /** PKCS#10, DER, for the new signing key. */
  readonly csr: Buffer;
  /** `sm3:<hex>` of the certificate that the device has. */
  readonly certificateSm3: string;
  /** By the key of that certificate over `"KMC-REISSUE-V1" 0x00 || CSR`, in its JSON form: raw r||s for SM2 and ECDSA. */
  readonly signature: Buffer;
}

/** Signs the CSR of an order with the key that the device has. */
export async function signOrder(engine: CryptoEngine, key: KeyHandle, csr: Buffer): Promise<Buffer> {
  const algorithm = KEY_ALGORITHMS[key.algorithm].jsonSignature;
  return SIGNATURE_ALGORITHMS[algorithm].toRaw(await engine.sign(key, algorithm, Buffer.concat([PREFIX, csr])));
}

/** @throws KmcError E_SIGNATURE when the order was not signed by the key of the certificate. */
export function requireOrderSigned({ csr, signature }: ReissueOrder, spki: Buffer): void {
  const algorithm = KEY_ALGORITHMS[parseSpki(spki).algorithm].jsonSignature;
  const der = SIGNATURE_ALGORITHMS[algorithm].fromRaw(signature);
  if (verifySignature(algorithm, spki, Buffer.concat([PREFIX, csr]), der)) return;
  throw new KmcError('E_SIGNATURE', 'The order was not signed by the key that the device has.');
}
