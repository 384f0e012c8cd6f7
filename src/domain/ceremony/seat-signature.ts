/**
 * A signature from a seat of a ceremony: over the plan (approval), over the result of a step (initials of the witness),
 * over the closing (C5, C11). Always by the personal SM2 key of the person in the seat.
 */
import { SIGNATURE_ALGORITHMS, verifySignature } from '../../crypto/algorithms.ts';
import { canonicalizeSigned, parseStrictJson } from '../../crypto/jcs.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, sm3Fingerprint, type Certificate } from '../../x509/certificate.ts';
import { ID } from '../id.ts';
import {
  oneOf,
  requireMembers,
  signedBytes,
  signedTimeText,
  sm3Text,
  textLike,
  type MemberCheck,
} from '../signed-body.ts';
import { SEAT_NAMES, type SeatName } from './seats.ts';

const SCHEMA = 'kmc.ceremony-signature/1';
const PURPOSES = ['approval', 'initials', 'closing'] as const;
export type SignaturePurpose = (typeof PURPOSES)[number];

export interface SeatSignatureBody {
  readonly schema: typeof SCHEMA;
  readonly purpose: SignaturePurpose;
  /** Id of the ceremony. */
  readonly ceremony: string;
  /** What is signed, `sm3:<hex>`: the plan, a record of the transcript, or the closing. */
  readonly digest: string;
  readonly seat: SeatName;
  /** `sm3:<hex>` of the certificate. */
  readonly certSm3: string;
  readonly signedAt: string;
}

export interface SeatSignature {
  readonly body: SeatSignatureBody;
  /** base64 of raw r||s, 64 octets. */
  readonly signature: string;
  /** base64 of the certificate, DER. */
  readonly certificate: string;
}

const BASE64 =
  /^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$|^(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)$/;
const MAX_BYTES = 65_536;

const BODY_CHECKS: Readonly<Record<keyof SeatSignatureBody, MemberCheck>> = {
  schema: oneOf([SCHEMA]),
  purpose: oneOf(PURPOSES),
  ceremony: textLike(ID, 'the id of a ceremony'),
  digest: sm3Text,
  seat: oneOf(SEAT_NAMES),
  certSm3: sm3Text,
  signedAt: signedTimeText,
};
const CHECKS: Readonly<Record<keyof SeatSignature, MemberCheck>> = {
  body: () => undefined,
  signature: textLike(BASE64, 'base64'),
  certificate: textLike(BASE64, 'base64'),
};

/** The body that a person in a seat signs. */
export function seatSignatureBody(facts: Omit<SeatSignatureBody, 'schema'>): SeatSignatureBody {
  return { schema: SCHEMA, ...facts };
}

/** The octets that are signed. */
export function seatSignatureBytes(body: SeatSignatureBody): Buffer {
  return signedBytes('ceremony', body);
}

/** The file of a signature: canonical JSON and a line feed. */
export function encodeSeatSignature(signature: SeatSignature): Buffer {
  return Buffer.from(`${canonicalizeSigned(signature)}\n`, 'utf8');
}

/**
 * Reads the file of a signature; nothing is verified yet.
 * @throws KmcError E_JSON, E_SIZE, E_SCHEMA.
 */
export function readSeatSignature(bytes: Buffer): SeatSignature {
  const value: unknown = parseStrictJson(bytes, { maxBytes: MAX_BYTES });
  requireMembers<SeatSignature>(value, CHECKS, 'signature file');
  requireMembers<SeatSignatureBody>(value.body, BODY_CHECKS, 'body of a signature');
  if (!encodeSeatSignature(value).equals(withLineEnd(bytes))) {
    throw new KmcError('E_SCHEMA', 'A signature file is not in its canonical form.');
  }
  return value;
}

/** A file ends with a line feed, a fact of a record does not. */
function withLineEnd(bytes: Buffer): Buffer {
  return bytes.at(-1) === 0x0a ? bytes : Buffer.concat([bytes, Buffer.from('\n')]);
}

/**
 * Verifies a signature with the certificate that it carries.
 * @returns the certificate; whether its holder sits in that seat is for the file to say.
 * @throws KmcError E_CERT, E_DER (the certificate), E_SIGNATURE.
 */
export function verifySeatSignature({ body, signature, certificate }: SeatSignature): Certificate {
  const der = Buffer.from(certificate, 'base64');
  const parsed = parseCertificate(der);
  const raw = Buffer.from(signature, 'base64');
  const isItsOwn = sm3Fingerprint(der) === body.certSm3 && parsed.keyAlgorithm === 'SM2' && raw.length === 64;
  const algorithm = SIGNATURE_ALGORITHMS['SM2-SM3'];
  if (isItsOwn && verifySignature('SM2-SM3', parsed.spki, seatSignatureBytes(body), algorithm.fromRaw(raw))) {
    return parsed;
  }
  throw new KmcError('E_SIGNATURE', `The signature of the ${body.seat} over the ${body.purpose} does not verify.`);
}
