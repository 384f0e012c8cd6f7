/** IssuerAndSerialNumber (PKCS#7, GM/T 0010): how messages name certificates. */
import { sequence } from '../../crypto/asn1/der.ts';
import type { Certificate } from '../certificate.ts';
import { encodeSerialNumber } from '../serial-number.ts';

const NO_ISSUER = sequence();

/** Of a certificate. DER. */
export function issuerAndSerialNumber(certificate: Pick<Certificate, 'issuer' | 'serialNumber'>): Buffer {
  return sequence(certificate.issuer.der, encodeSerialNumber(certificate.serialNumber));
}

/**
 * Of an encryption certificate that is yet to be issued: an empty issuer and the serial number it will have, as the key
 * packages of CAs are written. DER. Throws `E_CERT` for a serial number that is none.
 */
export function serialNumberAlone(serialNumber: string): Buffer {
  return sequence(NO_ISSUER, encodeSerialNumber(serialNumber));
}
