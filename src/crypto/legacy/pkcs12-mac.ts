/** MacData of PKCS#12 (RFC 7292 section 4): the proof that a file is whole and the password right. */
import { createHmac } from 'node:crypto';
import { KmcError } from '../../errors.ts';
import { cursor, readOctetString, readOid, readSmallInteger, TAG, type DerElement } from '../asn1/der.ts';
import { OID } from '../asn1/oids.ts';
import { equalConstantTime, wipe } from '../bytes.ts';
import { PKCS12_ID, pkcs12Kdf, type Pkcs12Hash } from './pkcs12-kdf.ts';

// The derivation runs on the event loop: a hostile count may cost a fraction of a second at most.
const MAX_ITERATIONS = 100_000;

const MAC_HASHES: ReadonlyMap<string, { readonly hash: Pkcs12Hash; readonly octets: number }> = new Map([
  [OID.sha1, { hash: 'sha1', octets: 20 }],
  [OID.sha256, { hash: 'sha256', octets: 32 }],
  [OID.sha384, { hash: 'sha384', octets: 48 }],
  [OID.sha512, { hash: 'sha512', octets: 64 }],
]);

/** The error of every refusal of the structure: `E_DER` with the reason. */
export function pkcs12Error(reason: string): KmcError {
  return new KmcError('E_DER', `The PKCS#12 file is refused: ${reason}.`);
}

/** An iteration count within bounds. @throws KmcError E_DER. */
export function readPkcs12Iterations(element: DerElement): number {
  const iterations = readSmallInteger(element);
  if (iterations < 1 || iterations > MAX_ITERATIONS) {
    throw pkcs12Error(`it asks for ${iterations} iterations and 1 to ${MAX_ITERATIONS} are accepted`);
  }
  return iterations;
}

/**
 * Checks the MAC over the content of authSafe under a password of `pkcs12Password`.
 * @throws KmcError E_DER (structure, hash, iterations), E_PASSPHRASE (another password, or an altered file).
 */
export function assertPkcs12Mac(macData: DerElement, authSafe: Buffer, password: Buffer): void {
  const fields = cursor(macData);
  const digestInfo = cursor(fields.next(TAG.sequence, 'the digest of macData'));
  const algorithm = readMacAlgorithm(digestInfo.next(TAG.sequence, 'the MAC algorithm'));
  const expected = readOctetString(digestInfo.next(TAG.octetString, 'the MAC'));
  digestInfo.end('the digest of macData');
  const salt = readOctetString(fields.next(TAG.octetString, 'macSalt'));
  const iterations = fields.remaining === 0 ? 1 : readPkcs12Iterations(fields.next(TAG.integer, 'the MAC iterations'));
  fields.end('macData');
  const key = pkcs12Kdf(algorithm.hash, password, salt, iterations, PKCS12_ID.mac, algorithm.octets);
  try {
    const mac = createHmac(algorithm.hash, key).update(authSafe).digest();
    if (!equalConstantTime(mac, expected)) {
      throw new KmcError('E_PASSPHRASE', 'The passphrase does not open the PKCS#12 file, or the file was altered.');
    }
  } finally {
    wipe(key);
  }
}

function readMacAlgorithm(element: DerElement): { readonly hash: Pkcs12Hash; readonly octets: number } {
  const fields = cursor(element);
  const algorithm = MAC_HASHES.get(readOid(fields.next(TAG.oid, 'the MAC algorithm')));
  fields.optional(TAG.null);
  fields.end('the MAC algorithm');
  if (algorithm === undefined) throw pkcs12Error('its MAC uses a hash that is not accepted');
  return algorithm;
}
