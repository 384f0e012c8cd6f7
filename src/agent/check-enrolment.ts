/** What a device checks before it believes an enrolment answer (gm-standards 5.3, 8.1). */
import type { CryptoEngine, KeyHandle } from '../crypto/engine.ts';
import { KmcError } from '../errors.ts';
import { parseCertificate, type Certificate } from '../x509/certificate.ts';
import { parseCsrResponse } from '../x509/csr-response.ts';
import { lintPair } from '../x509/lint/lint-pair.ts';
import { requireValidPath } from '../x509/path.ts';

/** An answer as it came, everything DER. */
export interface ReceivedEnrolment {
  readonly signCertificate: Buffer;
  readonly encCertificate: Buffer;
  readonly envelopedKey: Buffer;
  readonly csrResponse: Buffer;
  readonly chain: readonly Buffer[];
  readonly bundleVersion: string;
}

export interface EnrolmentExpectation {
  /** The device's own signing key, in the engine. */
  readonly signKey: KeyHandle;
  /** Name, DER. */
  readonly subject: Buffer;
  /** The pinned root, DER. */
  readonly root: Buffer;
  readonly at: Date;
}

function refuse(what: string): KmcError {
  return new KmcError('E_CERT', `The answer is not acceptable: ${what}. Nothing was installed.`);
}

function checkSameParts(answer: ReceivedEnrolment): void {
  const { signCertificates, encryption } = parseCsrResponse(answer.csrResponse);
  const same =
    signCertificates.length === 1 &&
    signCertificates[0]?.equals(answer.signCertificate) === true &&
    encryption?.certificates.length === 1 &&
    encryption.certificates[0]?.equals(answer.encCertificate) === true &&
    encryption.envelopedKey.equals(answer.envelopedKey);
  if (!same) throw refuse('its CSRResponse holds something else than its parts');
}

function checkPath(leaf: Certificate, answer: ReceivedEnrolment, { root, at }: EnrolmentExpectation): void {
  const intermediates = answer.chain.map((der) => parseCertificate(der));
  const anchors = [parseCertificate(root)];
  const purpose = leaf.keyUsage?.includes('digitalSignature') === true ? 'tlcp-sign' : 'tlcp-enc';
  requireValidPath({ leaf, intermediates, anchors, at, purpose });
}

/**
 * Checks everything in an answer and opens the encryption key in it: path of both certificates to the pinned root, the
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
  for (const leaf of [sign, enc]) checkPath(leaf, answer, expected);
  checkSameParts(answer);
  const encKey = await engine.openEnvelopedKey(expected.signKey, answer.envelopedKey);
  if (encKey.spki.equals(enc.spki)) return encKey;
  engine.destroyKey(encKey);
  throw refuse('the encryption key is not that of its certificate');
}
