/** What a device checks before it believes an enrolment answer (gm-standards 5.3, 8.1). */
import type { CryptoEngine, KeyHandle } from '../crypto/engine.ts';
import { KmcError } from '../errors.ts';
import { parseCertificate, type Certificate } from '../x509/certificate.ts';
import { asEnvelopedKey, isUnsigned, type EnvelopeFamily } from '../domain/envelope-family.ts';
import { parseSignedAndEnveloped } from '../crypto/gm/signed-enveloped.ts';
import { parseCsrResponse } from '../x509/csr-response.ts';
import { lintPair } from '../x509/lint/lint-pair.ts';
import { requireValidPath } from '../x509/path.ts';
import type { PathPurpose } from '../x509/path/path-purpose.ts';

/** An answer as it came, everything DER. */
export interface ReceivedEnrolment {
  readonly signCertificate: Buffer;
  readonly encCertificate: Buffer;
  /** Of the family below. */
  readonly envelopedKey: Buffer;
  readonly envelope: EnvelopeFamily;
  readonly csrResponse: Buffer;
  readonly chain: readonly Buffer[];
  readonly bundleVersion: string;
}

export interface EnrolmentExpectation {
  /** The device's own signing key, in the engine. */
  readonly signKey: KeyHandle;
  /** Name, DER. */
  readonly subject: Buffer;
  /** The roots that the device accepts, DER. */
  readonly anchors: readonly Buffer[];
  readonly at: Date;
}

function refuse(what: string): KmcError {
  return new KmcError('E_CERT', `The answer is not acceptable: ${what}. Nothing was installed.`);
}

function checkSameParts(answer: ReceivedEnrolment, encSpki: Buffer): void {
  const { signCertificates, encryption } = parseCsrResponse(answer.csrResponse);
  const same =
    signCertificates.length === 1 &&
    signCertificates[0]?.equals(answer.signCertificate) === true &&
    encryption?.certificates.length === 1 &&
    encryption.certificates[0]?.equals(answer.encCertificate) === true &&
    encryption.envelopedKey.equals(asEnvelopedKey(answer.envelopedKey, encSpki));
  if (!same) throw refuse('its CSRResponse holds something else than its parts');
}

function checkPath(
  leaf: Certificate,
  answer: ReceivedEnrolment,
  { anchors, at }: EnrolmentExpectation,
  purpose: PathPurpose,
): void {
  const intermediates = answer.chain.map((der) => parseCertificate(der));
  requireValidPath({ leaf, intermediates, anchors: anchors.map((der) => parseCertificate(der)), at, purpose });
}

/** Opens the envelope; of a signed one, the signer must be vouched for by the same root. */
async function opened(
  engine: CryptoEngine,
  answer: ReceivedEnrolment,
  encSpki: Buffer,
  expected: EnrolmentExpectation,
): Promise<KeyHandle> {
  const { envelope, envelopedKey } = answer;
  if (isUnsigned(envelope)) return await engine.openEnvelopedKey(expected.signKey, envelopedKey, envelope);
  const [der] = parseSignedAndEnveloped(envelopedKey).certificates;
  if (der === undefined) throw refuse('its key package says nothing of its signer');
  const signer = parseCertificate(der);
  checkPath(signer, answer, expected, 'signature');
  return await engine.openKeyPackage(expected.signKey, envelopedKey, encSpki, signer.spki);
}

/**
 * Checks everything in an answer and opens the encryption key in it: path of both certificates to a root that the device accepts, the
 * rules of a pair, the subject, that the signing certificate holds the device's key, and that the enveloped private key
 * belongs to the public key of the encryption certificate.
 * @returns the encryption key, in the engine.
 * @throws KmcError E_CERT, E_LINT, E_DER, E_DECRYPT, E_KEY, E_POINT.
 */
export async function checkEnrolment(
  engine: CryptoEngine,
  answer: ReceivedEnrolment,
  expected: EnrolmentExpectation,
): Promise<KeyHandle> {
  const sign = parseCertificate(answer.signCertificate);
  const enc = parseCertificate(answer.encCertificate);
  if (!sign.subject.der.equals(expected.subject)) throw refuse('the certificates are for another subject');
  if (!sign.spki.equals(expected.signKey.spki)) throw refuse('the signing certificate holds another key');
  lintPair(sign.tbs, enc.tbs);
  checkPath(sign, answer, expected, 'tlcp-sign');
  checkPath(enc, answer, expected, 'tlcp-enc');
  checkSameParts(answer, enc.spki);
  const encKey = await opened(engine, answer, enc.spki, expected);
  if (encKey.spki.equals(enc.spki)) return encKey;
  engine.destroyKey(encKey);
  throw refuse('the encryption key is not that of its certificate');
}
