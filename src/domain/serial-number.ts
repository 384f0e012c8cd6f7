import { randomBytes } from '../crypto/random.ts';

/** Octets of a new serial number: enough that imported and issued ones never meet by chance. */
const SERIAL_OCTETS = 16;

/**
 * A new certificate serial number: 16 octets, positive, 126 random bits (RFC 5280 4.1.2.2; GmSSL wants 4 octets or more).
 * @returns the magnitude, big-endian, without a sign octet.
 */
export function newSerialNumber(): Buffer {
  const serial = randomBytes(SERIAL_OCTETS);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}
