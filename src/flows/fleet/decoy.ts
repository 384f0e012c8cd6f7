/**
 * The decoy of a canary proof (enrolment-and-root-upgrade A.5): a chain that bears the names of the true one, from keys that
 * exist for the life of this process only. A validator that goes by names takes it for genuine.
 */
import { KEY_ALGORITHMS } from '../../crypto/algorithms.ts';
import type { CryptoEngine, KeyHandle } from '../../crypto/engine.ts';
import type { PolicySet } from '../../domain/policy.ts';
import { newSerialNumber } from '../../domain/serial-number.ts';
import type { GeneralName } from '../../x509/extensions/general-name.ts';
import { keyIdentifierSha1 } from '../../crypto/spki.ts';
import { parseCertificate, type Certificate } from '../../x509/certificate.ts';
import { certificateIssuerOf } from '../authorities/issuing-authority.ts';
import { prepareCertificate } from '../certificates/prepare-certificate.ts';
import { signCertificate } from '../certificates/sign-certificate.ts';

export interface DecoyPorts {
  readonly engine: CryptoEngine;
  readonly policies: PolicySet;
}

/** A CA that nobody trusts. */
interface DecoyAuthority {
  readonly certificate: Certificate;
  readonly key: KeyHandle;
}

/** The true authorities whose names the decoys bear. */
export interface TrueAuthorities {
  readonly root: Certificate;
  readonly issuing: Certificate;
  /** Id of the issuing CA. */
  readonly issuingId: string;
}

const MADE = new WeakMap<CryptoEngine, Map<string, Promise<DecoyAuthority>>>();

async function makeIssuing({ engine, policies }: DecoyPorts, names: TrueAuthorities): Promise<DecoyAuthority> {
  const at = new Date();
  const rootKey = await engine.generateKeyPair('SM2');
  const key = await engine.generateKeyPair('SM2');
  const common = { notBefore: names.issuing.notBefore, serialNumber: newSerialNumber() };
  const algorithm = KEY_ALGORITHMS.SM2.defaultSignature;
  const root = { name: names.root.subject.der, keyIdentifier: keyIdentifierSha1(rootKey.spki) };
  const issuer = { id: names.issuingId, signatureAlgorithm: algorithm, notAfter: names.root.notAfter, ...root };
  const prepared = prepareCertificate(policies, 'issuing', {
    ...common,
    issuer: names.root.notAfter > at ? issuer : { ...issuer, notAfter: names.issuing.notAfter },
    subject: names.issuing.subject.der,
    spki: key.spki,
  });
  const der = await signCertificate({ engine, key: rootKey, algorithm }, prepared.linted, policies.issuance);
  engine.destroyKey(rootKey);
  return { certificate: parseCertificate(der), key };
}

/** The decoy CA for a true one: made once in a process. */
function issuingOf(ports: DecoyPorts, names: TrueAuthorities): Promise<DecoyAuthority> {
  const made = MADE.get(ports.engine) ?? new Map<string, Promise<DecoyAuthority>>();
  MADE.set(ports.engine, made);
  const known = made.get(names.issuingId) ?? makeIssuing(ports, names);
  made.set(names.issuingId, known);
  return known;
}

export interface DecoyLeaf {
  /** Name, DER. */
  readonly subject: Buffer;
  readonly subjectAltName: readonly GeneralName[];
  readonly notBefore: Date;
}

/** A decoy: the leaf and the CA that issued it, DER. */
export async function makeDecoy(
  ports: DecoyPorts,
  names: TrueAuthorities,
  leaf: DecoyLeaf,
): Promise<readonly [Buffer, Buffer]> {
  const { engine, policies } = ports;
  const { certificate, key } = await issuingOf(ports, names);
  const ofLeaf = await engine.generateKeyPair('SM2');
  try {
    const issuer = certificateIssuerOf(names.issuingId, certificate);
    const facts = { ...leaf, serialNumber: newSerialNumber(), issuer, spki: ofLeaf.spki };
    const prepared = prepareCertificate(policies, 'canary', facts, certificate);
    const signer = { engine, key, algorithm: issuer.signatureAlgorithm };
    return [await signCertificate(signer, prepared.linted, policies.issuance), certificate.der];
  } finally {
    engine.destroyKey(ofLeaf);
  }
}
