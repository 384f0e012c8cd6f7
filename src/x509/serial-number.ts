/** serialNumber of certificates and CRL entries as text: lower-case hex, two digits an octet, no sign octet. */
import { integer, readInteger } from '../crypto/asn1/der.ts';
import type { DerElement } from '../crypto/asn1/der.ts';
import { KmcError } from '../errors.ts';

/** Anchors of old estates may break the rules of RFC 5280, but not this bound. */
const MAX_READ_OCTETS = 64;
const MAX_OCTETS = 20;
const HEX_SERIAL = /^(?:[0-9a-f]{2})+$/;

/**
 * The text of a serial INTEGER: `00` for zero, a leading `-` before the magnitude of a negative one (neither conforms to
 * RFC 5280, see `isConformingSerialNumber`). Throws `E_DER` above 64 octets.
 */
export function serialNumberText(element: DerElement): string {
  const content = element.content;
  if (content.length > MAX_READ_OCTETS) {
    throw new KmcError('E_DER', `A serial number is longer than ${MAX_READ_OCTETS} octets.`);
  }
  if ((content[0] ?? 0) < 0x80) {
    return content.length > 1 && content[0] === 0 ? content.toString('hex', 1) : content.toString('hex');
  }
  const magnitude = (-readInteger(element)).toString(16);
  return `-${magnitude.length % 2 === 0 ? magnitude : `0${magnitude}`}`;
}

/** True for a positive serial number of at most 20 content octets, the sign octet counted (RFC 5280 4.1.2.2). */
export function isConformingSerialNumber(serialNumber: string): boolean {
  if (!HEX_SERIAL.test(serialNumber) || /^0+$/.test(serialNumber)) return false;
  const signOctet = serialNumber >= '8' ? 1 : 0;
  return serialNumber.length / 2 + signOctet <= MAX_OCTETS;
}

/** INTEGER DER of a serial number in the text form of `serialNumberText`. Throws `E_CERT` for text that is none. */
export function encodeSerialNumber(serialNumber: string): Buffer {
  if (!HEX_SERIAL.test(serialNumber)) throw new KmcError('E_CERT', 'A serial number must be lower-case hex octets.');
  return integer(Buffer.from(serialNumber, 'hex'));
}

/** The order of two serial numbers in the text form of `serialNumberText`, both positive. */
export function compareSerialNumbers(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : Number(a > b);
}
