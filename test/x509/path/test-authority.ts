/** Certificates and CRLs made to measure, broken ones included, which the product would never issue. */
import { KEY_ALGORITHMS, SIGNATURE_ALGORITHMS } from '../../../src/crypto/algorithms.ts';
import type { KeyAlgorithmName } from '../../../src/crypto/algorithms.ts';
import { contextExplicit, integer, sequence, sequenceOf, time } from '../../../src/crypto/asn1/der.ts';
import { parsePkcs8 } from '../../../src/crypto/pkcs8.ts';
import type { PrivateKey } from '../../../src/crypto/private-key.ts';
import { keyIdentifierSha1 } from '../../../src/crypto/spki.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import type { Certificate } from '../../../src/x509/certificate.ts';
import { parseCertificateList } from '../../../src/x509/crl.ts';
import type { CertificateList, RevokedCertificate } from '../../../src/x509/crl.ts';
import { encodeRevokedCertificate } from '../../../src/x509/crl-entry.ts';
import { encodeExtensions, extensionOf, EXTENSIONS } from '../../../src/x509/extensions.ts';
import type { Extension } from '../../../src/x509/extensions.ts';
import type { KeyUsageName } from '../../../src/x509/extensions/key-usage.ts';
import { encodeName } from '../../../src/x509/name.ts';
import { encodeSignedObject } from '../../../src/x509/signed-object.ts';

/** A certificate with its private key. */
export interface Holder {
  readonly key: PrivateKey;
  readonly certificate: Certificate;
}

export interface CertificateTraits {
  /** commonName of the subject; a fresh one unless told. */
  readonly name?: string;
  /** Name DER of the subject in place of `name`. */
  readonly subject?: Buffer;
  /** Name DER in place of the issuer's subject. */
  readonly issuer?: Buffer;
  readonly key?: PrivateKey;
  /** INTEGER DER. */
  readonly serialNumber?: Buffer;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly pathLength?: number;
  readonly keyUsage?: readonly KeyUsageName[];
  /** Extensions that are added, in place of a standing one of the same OID. */
  readonly extensions?: readonly Extension[];
  /** OIDs of extensions that are left out. */
  readonly without?: readonly string[];
}

export interface CrlTraits {
  readonly thisUpdate?: Date;
  readonly nextUpdate?: Date | 'absent';
  readonly revoked?: readonly (Certificate | RevokedCertificate)[];
  readonly number?: number;
  readonly issuer?: Buffer;
  readonly extensions?: readonly Extension[];
  readonly without?: readonly string[];
  /** Entries DER in place of `revoked`. */
  readonly entries?: readonly Buffer[];
}

/** The time at which everything here is valid unless told otherwise. */
export const NOW = new Date('2026-06-01T00:00:00Z');
export const PRIVATE_EXTENSION: Extension = {
  oid: '1.3.6.1.4.1.55738.666.1',
  critical: true,
  value: Buffer.from('0500', 'hex'),
};

const NOT_BEFORE = new Date('2026-01-01T00:00:00Z');
const NOT_AFTER = new Date('2027-01-01T00:00:00Z');
let serialCounter = 1000;

/** A time so many milliseconds (negative: before) from `NOW`. */
export function fromNow(milliseconds: number): Date {
  return new Date(NOW.getTime() + milliseconds);
}

export async function newKey(algorithm: KeyAlgorithmName = 'SM2'): Promise<PrivateKey> {
  const { pkcs8 } = await KEY_ALGORITHMS[algorithm].generateKeyPair(algorithm === 'RSA' ? 2048 : undefined);
  return parsePkcs8(pkcs8);
}

export function nameOf(commonName: string): Buffer {
  return encodeName([
    { type: 'C', value: 'CN' },
    { type: 'CN', value: commonName },
  ]);
}

function merged(
  standing: readonly Extension[],
  traits: Pick<CertificateTraits, 'extensions' | 'without'>,
): Extension[] {
  const added = traits.extensions ?? [];
  const gone = new Set([...(traits.without ?? []), ...added.map(({ oid }) => oid)]);
  return [...standing.filter(({ oid }) => !gone.has(oid)), ...added];
}

function signed(tbs: Buffer, key: PrivateKey): Buffer {
  const { signatures } = KEY_ALGORITHMS[key.algorithm];
  const algorithm = SIGNATURE_ALGORITHMS[signatures[0]];
  return encodeSignedObject(tbs, algorithm.identifier, algorithm.sign(key, tbs));
}

function identifierOf(key: PrivateKey): Buffer {
  const algorithm = SIGNATURE_ALGORITHMS[KEY_ALGORITHMS[key.algorithm].signatures[0]];
  return algorithm.identifier;
}

async function certify(signer: Holder | undefined, traits: CertificateTraits, isCa: boolean): Promise<Holder> {
  serialCounter += 1;
  const key = traits.key ?? (await newKey());
  const subject = traits.subject ?? nameOf(traits.name ?? `${isCa ? 'CA' : 'Leaf'} ${serialCounter}`);
  const signingKey = signer?.key ?? key;
  const { pathLength } = traits;
  const standing = [
    extensionOf(EXTENSIONS.subjectKeyIdentifier, keyIdentifierSha1(key.spki)),
    extensionOf(EXTENSIONS.authorityKeyIdentifier, { keyIdentifier: keyIdentifierSha1(signingKey.spki) }),
    extensionOf(EXTENSIONS.keyUsage, traits.keyUsage ?? (isCa ? ['keyCertSign', 'cRLSign'] : ['digitalSignature'])),
    ...(isCa
      ? [extensionOf(EXTENSIONS.basicConstraints, { ca: true, ...(pathLength === undefined ? {} : { pathLength }) })]
      : []),
  ];
  const extensions = merged(standing, traits);
  const tbs = sequence(
    contextExplicit(0, integer(2)),
    traits.serialNumber ?? integer(serialCounter),
    identifierOf(signingKey),
    traits.issuer ?? signer?.certificate.subject.der ?? subject,
    sequence(time(traits.notBefore ?? NOT_BEFORE), time(traits.notAfter ?? NOT_AFTER)),
    subject,
    key.spki,
    ...(extensions.length === 0 ? [] : [contextExplicit(3, encodeExtensions(extensions))]),
  );
  return { key, certificate: parseCertificate(signed(tbs, signingKey)) };
}

/** A CA certificate, self-signed without `signer`. */
export function makeCa(signer?: Holder, traits: CertificateTraits = {}): Promise<Holder> {
  return certify(signer, traits, true);
}

/** An end-entity certificate. */
export function makeLeaf(signer: Holder, traits: CertificateTraits = {}): Promise<Holder> {
  return certify(signer, traits, false);
}

/** A CRL signed by `signer`. */
export function makeCrl(signer: Holder, traits: CrlTraits = {}): CertificateList {
  const entries =
    traits.entries ??
    (traits.revoked ?? []).map((one) =>
      encodeRevokedCertificate(
        'revocationDate' in one ? one : { serialNumber: one.serialNumber, revocationDate: fromNow(-60_000) },
      ),
    );
  const standing = [
    extensionOf(EXTENSIONS.authorityKeyIdentifier, { keyIdentifier: keyIdentifierSha1(signer.key.spki) }),
    extensionOf(EXTENSIONS.crlNumber, BigInt(traits.number ?? 1)),
  ];
  const extensions = merged(standing, traits);
  const tbs = sequence(
    integer(1),
    identifierOf(signer.key),
    traits.issuer ?? signer.certificate.subject.der,
    time(traits.thisUpdate ?? fromNow(-3_600_000)),
    ...(traits.nextUpdate === 'absent' ? [] : [time(traits.nextUpdate ?? fromNow(3_600_000))]),
    ...(entries.length === 0 ? [] : [sequenceOf(entries)]),
    ...(extensions.length === 0 ? [] : [contextExplicit(0, encodeExtensions(extensions))]),
  );
  return parseCertificateList(signed(tbs, signer.key));
}
