/**
 * Certification authorities of others that this centre supervises (电子认证监管): what is wrong with a certificate of
 * theirs, and which CRL may follow which.
 */
import { assertGoodRsaKey, type RsaSizes } from '../crypto/legacy/rsa-good-key.ts';
import { bitLength } from '../crypto/legacy/rsa.ts';
import { parseSpki } from '../crypto/spki.ts';
import { KmcError } from '../errors.ts';
import type { Certificate } from '../x509/certificate.ts';
import type { CertificateList, ReadRevokedCertificate } from '../x509/crl.ts';
import { verifySignedBy } from '../x509/path/issuer-signature.ts';

/** `ended` is supervised no more; what was imported stays. */
export type SupervisedState = 'active' | 'ended';
export const SUPERVISED_CERTIFICATE_STATUSES = ['good', 'on-hold', 'revoked'] as const;
export type SupervisedStatus = (typeof SUPERVISED_CERTIFICATE_STATUSES)[number];

export const WEAKNESSES = ['rsa-below-2048', 'rsa-modulus', 'sha-1', 'no-serial-entropy'] as const;
export type Weakness = (typeof WEAKNESSES)[number];

const SMALLEST_RSA_BITS = 2048;
/** Sizes are told apart above; here the modulus itself is looked at. */
const ANY_SIZE: RsaSizes = { smallestBits: 1, largestBits: 8192 };
/** CA/Browser Forum BR 7.1: 64 bits from a generator, so 8 octets at least. */
const LEAST_SERIAL_DIGITS = 16;

function hasGoodModulus(rsa: Parameters<typeof assertGoodRsaKey>[0]): boolean {
  try {
    assertGoodRsaKey(rsa, ANY_SIZE);
    return true;
  } catch (error) {
    if (error instanceof KmcError) return false;
    throw error;
  }
}

/** What is weak about the cryptography of a certificate, in the order of `WEAKNESSES`. */
export function weaknessesOf({ spki, signatureAlgorithm, serialNumber }: Certificate): Weakness[] {
  const { rsa } = parseSpki(spki);
  const weak: Readonly<Record<Weakness, boolean>> = {
    'rsa-below-2048': rsa !== undefined && bitLength(rsa.n) < SMALLEST_RSA_BITS,
    'rsa-modulus': rsa !== undefined && !hasGoodModulus(rsa),
    'sha-1': signatureAlgorithm === 'RSA-SHA1',
    'no-serial-entropy': serialNumber.length < LEAST_SERIAL_DIGITS,
  };
  return WEAKNESSES.filter((name) => weak[name]);
}

/** Kind of key and, for RSA, its size: `RSA-3072`. */
export function keyName({ spki }: Pick<Certificate, 'spki'>): string {
  const { algorithm, rsa } = parseSpki(spki);
  return rsa === undefined ? algorithm : `${algorithm}-${bitLength(rsa.n)}`;
}

/**
 * A certificate of the authority.
 * @throws KmcError E_CERT (rule `issuer`) when another one issued it; E_SIGNATURE when it is forged.
 */
export function requireIssuedBy(certificate: Certificate, authority: Certificate): void {
  if (!certificate.issuer.der.equals(authority.subject.der)) {
    throw new KmcError('E_CERT', 'The certificate names another issuer than this authority.', { rule: 'issuer' });
  }
  if (!verifySignedBy(certificate, authority)) {
    throw new KmcError('E_SIGNATURE', 'The certificate is not signed by this authority.');
  }
}

/** What of the newest CRL decides about the next. */
export interface NewestCrl {
  readonly number: bigint;
  readonly thisUpdate: Date;
  /** `sm3:<hex>` of its DER. */
  readonly crlSm3: string;
}

const CLOCKS_APART_MS = 300_000;

function refused(rule: string, message: string): KmcError {
  return new KmcError('E_CRL', message, { rule });
}

/** A CRL of the authority that says all there is: numbered, dated, complete. */
function requireWhole(list: CertificateList, authority: Certificate, now: Date): bigint {
  if (!list.issuer.der.equals(authority.subject.der)) {
    throw refused('issuer', 'The CRL names another issuer than this authority.');
  }
  if (!verifySignedBy(list, authority)) throw new KmcError('E_SIGNATURE', 'The CRL is not signed by this authority.');
  if (list.deltaBase !== undefined || list.issuingDistributionPoint !== undefined) {
    throw refused('scope', 'Only a complete CRL counts here: this one is a delta, or holds a part.');
  }
  if (list.nextUpdate === undefined) throw refused('next-update', 'The CRL does not say until when it holds.');
  if (list.crlNumber === undefined) throw refused('number', 'The CRL has no number.');
  if (list.thisUpdate.getTime() > now.getTime() + CLOCKS_APART_MS) throw refused('future', 'The CRL is of the future.');
  const foreign = list.entries.find((entry) => entry.unknownCritical !== undefined || entry.ofOtherIssuer === true);
  if (foreign !== undefined) throw refused('entry', 'An entry of the CRL is not understood: it must not be used.');
  return list.crlNumber;
}

/**
 * A CRL that may follow the newest one (RFC 5280 5.2.3, 6.3.3).
 * @returns its number.
 * @throws KmcError E_CRL with the rule that it breaks; E_SIGNATURE when it is forged; E_CONFLICT when it is the newest one
 * again.
 */
export function requireFollowing(
  list: CertificateList,
  authority: Certificate,
  newest: NewestCrl | undefined,
  at: { readonly crlSm3: string; readonly now: Date },
): bigint {
  const number = requireWhole(list, authority, at.now);
  if (newest === undefined) return number;
  if (newest.crlSm3 === at.crlSm3) throw new KmcError('E_CONFLICT', 'That CRL is imported already.');
  if (number < newest.number || list.thisUpdate < newest.thisUpdate) {
    throw refused('older', 'The CRL is older than the one that stands.');
  }
  if (number === newest.number) throw refused('number-twice', 'Another CRL of the same number stands already.');
  return number;
}

export interface SupervisedStanding {
  readonly status: SupervisedStatus;
  readonly revokedAt: Date | undefined;
}

/** What an entry of the CRL (or none) makes of a certificate. Revoked for good stays so, whatever a later CRL leaves out. */
export function standingAfter(
  before: SupervisedStatus,
  entry: ReadRevokedCertificate | undefined,
): SupervisedStanding | undefined {
  const status = statusOf(before, entry);
  return status === before ? undefined : { status, revokedAt: status === 'good' ? undefined : entry?.revocationDate };
}

function statusOf(before: SupervisedStatus, entry: ReadRevokedCertificate | undefined): SupervisedStatus {
  if (before === 'revoked') return 'revoked';
  if (entry === undefined || entry.reason === 'removeFromCRL') return 'good';
  return entry.reason === 'certificateHold' ? 'on-hold' : 'revoked';
}

const HTTP_URL = /^https?:$/;
const LONGEST_URL = 500;

/**
 * True for an address that may be registered: http or https, a host, no credentials and no fragment. What lies behind the
 * name is looked at when it is fetched.
 */
export function isRepositoryUrl(text: string): boolean {
  if (text.length > LONGEST_URL || !URL.canParse(text)) return false;
  const url = new URL(text);
  return (
    HTTP_URL.test(url.protocol) && url.href === text && url.username === '' && url.password === '' && url.hash === ''
  );
}
