/**
 * SM2EnvelopedKey (GM/T 0009): an SM2 key pair under SM4-ECB with a fresh key, which is SM2-encrypted to the recipient.
 *   SEQUENCE { symAlgID, symEncryptedKey SM2Cipher, sm2PublicKey BIT STRING, sm2EncryptedPrivateKey BIT STRING }
 */
import { KmcError } from '../../errors.ts';
import {
  bitString,
  cursor,
  decodeSequence,
  nullValue,
  oid,
  readBitString,
  readOid,
  sequence,
  TAG,
  type DerElement,
} from '../asn1/der.ts';
import { OID } from '../asn1/oids.ts';
import { bareScalarOf, openKeyEnvelope, type KeyEnvelope, type Sm2KeyPair } from './key-envelope.ts';

const LONGEST_DER = 512;
const SYMMETRIC_ALGORITHMS: ReadonlySet<string> = new Set([OID.sm4Ecb, OID.sm4]);

/**
 * Opens an SM2EnvelopedKey with the recipient's d. Accepts d as 32 octets, with PKCS#7 padding (48), or after 32 zero
 * octets (64). The caller wipes `scalar`.
 * @throws KmcError E_DER, E_SIZE (structure), and what `openKeyEnvelope` throws.
 */
export function openEnvelopedKey(recipientScalar: Buffer, envelopedKey: Buffer): Sm2KeyPair {
  return openKeyEnvelope(recipientScalar, parseEnvelopedKey(envelopedKey));
}

/**
 * DER in the shape that practice agrees on: symAlgID sm4-ecb with NULL and 32 octets of ciphertext without padding.
 * @throws KmcError E_USAGE for an envelope whose layout cannot be packed this way.
 */
export function packEnvelopedKey(envelope: KeyEnvelope): Buffer {
  return sequence(
    sequence(oid(OID.sm4Ecb), nullValue()),
    envelope.wrappedKey,
    bitString(envelope.point),
    bitString(bareScalarOf(envelope)),
  );
}

/**
 * Reads an SM2EnvelopedKey (DER). Accepts symAlgID sm4-ecb or sm4, NULL or no parameters; the layout of d is judged when the
 * envelope is opened. @throws KmcError E_DER, E_SIZE.
 */
export function parseEnvelopedKey(envelopedKey: Buffer): KeyEnvelope {
  const fields = decodeSequence(envelopedKey, 'SM2EnvelopedKey', { maxBytes: LONGEST_DER });
  checkSymmetricAlgorithm(fields.next(TAG.sequence, 'symAlgID'));
  const wrappedKey = fields.next(TAG.sequence, 'symEncryptedKey').encoded;
  const point = wholeOctets(fields.next(TAG.bitString, 'sm2PublicKey'));
  const encryptedScalar = wholeOctets(fields.next(TAG.bitString, 'sm2EncryptedPrivateKey'));
  fields.end('SM2EnvelopedKey');
  return { point, wrappedKey, encryptedScalar };
}

function checkSymmetricAlgorithm(element: DerElement): void {
  const fields = cursor(element);
  const algorithm = readOid(fields.next(TAG.oid, 'symAlgID'));
  fields.optional(TAG.null);
  fields.end('symAlgID');
  if (!SYMMETRIC_ALGORITHMS.has(algorithm)) {
    throw new KmcError('E_DER', 'The enveloped key is not under SM4-ECB, the only algorithm taken here.');
  }
}

function wholeOctets(element: DerElement): Buffer {
  const { bytes, unusedBits } = readBitString(element);
  if (unusedBits !== 0) throw new KmcError('E_DER', 'A BIT STRING of the enveloped key is not whole octets.');
  return bytes;
}
