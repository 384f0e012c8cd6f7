/**
 * The forms of an SM2 ciphertext. They hold the same three parts, and the raw orders cannot be told apart by looking, so
 * a form is always named. `der` is SM2Cipher (GM/T 0009): SEQUENCE { x1 INTEGER, y1 INTEGER, C3 OCTET STRING, C2 OCTET
 * STRING }; the `bare` ones leave out the octet 04 of C1.
 */
import { KmcError } from '../../errors.ts';
import {
  decodeSequence,
  integer,
  octetString,
  readOctetString,
  readUnsignedInteger,
  sequence,
  TAG,
} from '../asn1/der.ts';
import { concat } from '../bytes.ts';
import { SM3_LENGTH } from './sm3.ts';
import { SM2_FIELD_LENGTH, SM2_POINT_LENGTH } from './sm2-curve.ts';

export interface Sm2Ciphertext {
  /** 04 || x1 || y1, 65 octets; not yet checked to be on the curve when it was read. */
  readonly c1: Buffer;
  /** The encrypted message. */
  readonly c2: Buffer;
  /** The SM3 digest that ties it together, 32 octets. */
  readonly c3: Buffer;
}

interface CiphertextForm {
  encode(parts: Sm2Ciphertext): Buffer;
  decode(bytes: Buffer): Sm2Ciphertext;
}

/** The longest message, in octets: SM2 encrypts keys, shares and tokens, SM4 encrypts data. */
export const SM2_LONGEST_MESSAGE = 65_536;
const DER_OVERHEAD = 128;
const UNCOMPRESSED = Buffer.from([4]);

function malformed(): KmcError {
  return new KmcError('E_DER', 'The SM2 ciphertext does not have the form it is said to have.');
}

function leftPadded(magnitude: Buffer): Buffer {
  return concat(Buffer.alloc(SM2_FIELD_LENGTH - magnitude.length), magnitude);
}

const DER_FORM: CiphertextForm = {
  encode: ({ c1, c2, c3 }) =>
    sequence(
      integer(c1.subarray(1, 1 + SM2_FIELD_LENGTH)),
      integer(c1.subarray(1 + SM2_FIELD_LENGTH)),
      octetString(c3),
      octetString(c2),
    ),
  decode(bytes) {
    const fields = decodeSequence(bytes, 'SM2Cipher', { maxBytes: SM2_LONGEST_MESSAGE + DER_OVERHEAD, maxDepth: 1 });
    const x = readUnsignedInteger(fields.next(TAG.integer, 'x1'), SM2_FIELD_LENGTH);
    const y = readUnsignedInteger(fields.next(TAG.integer, 'y1'), SM2_FIELD_LENGTH);
    const c3 = readOctetString(fields.next(TAG.octetString, 'C3'));
    const c2 = readOctetString(fields.next(TAG.octetString, 'C2'));
    fields.end('SM2Cipher');
    return { c1: concat(UNCOMPRESSED, leftPadded(x), leftPadded(y)), c2, c3 };
  },
};

function rawForm(order: 'C1C3C2' | 'C1C2C3', bare: boolean): CiphertextForm {
  const c1Length = bare ? SM2_POINT_LENGTH - 1 : SM2_POINT_LENGTH;
  return {
    encode({ c1, c2, c3 }) {
      const first = bare ? c1.subarray(1) : c1;
      return order === 'C1C3C2' ? concat(first, c3, c2) : concat(first, c2, c3);
    },
    decode(bytes) {
      if (bytes.length < c1Length + SM3_LENGTH || bytes.length > SM2_LONGEST_MESSAGE + DER_OVERHEAD) throw malformed();
      const first = bytes.subarray(0, c1Length);
      const rest = bytes.subarray(c1Length);
      const c1 = bare ? concat(UNCOMPRESSED, first) : first;
      return order === 'C1C3C2'
        ? { c1, c3: rest.subarray(0, SM3_LENGTH), c2: rest.subarray(SM3_LENGTH) }
        : { c1, c2: rest.subarray(0, -SM3_LENGTH), c3: rest.subarray(-SM3_LENGTH) };
    },
  };
}

/** The forms by name: the one setting that says how a ciphertext is written. */
export const SM2_CIPHERTEXT_FORMS = {
  der: DER_FORM,
  C1C3C2: rawForm('C1C3C2', false),
  'C1C3C2-bare': rawForm('C1C3C2', true),
  C1C2C3: rawForm('C1C2C3', false),
  'C1C2C3-bare': rawForm('C1C2C3', true),
} as const satisfies Record<string, CiphertextForm>;
export type Sm2CiphertextForm = keyof typeof SM2_CIPHERTEXT_FORMS;

/** Writes the parts in the named form. */
export function encodeSm2Ciphertext(parts: Sm2Ciphertext, form: Sm2CiphertextForm = 'der'): Buffer {
  return SM2_CIPHERTEXT_FORMS[form].encode(parts);
}

/** Reads the parts from the named form. C1 is not checked here. Throws `E_DER`, and `E_SIZE` for DER too long. */
export function decodeSm2Ciphertext(bytes: Buffer, form: Sm2CiphertextForm = 'der'): Sm2Ciphertext {
  const parts = SM2_CIPHERTEXT_FORMS[form].decode(bytes);
  if (parts.c3.length !== SM3_LENGTH) throw malformed();
  return parts;
}
