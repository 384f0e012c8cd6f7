/** Two generations of roots, the links between them, and two sets of five bundle-signers: what manifests are made of. */
import { SIGNATURE_ALGORITHMS } from '../../../src/crypto/algorithms.ts';
import { sha256 } from '../../../src/crypto/digests.ts';
import type { PrivateKey } from '../../../src/crypto/private-key.ts';
import { spkiSm3 } from '../../../src/crypto/spki.ts';
import { signedTime } from '../../../src/domain/signed-body.ts';
import {
  MANIFEST_SCHEMA,
  manifestBytes,
  manifestDigest,
  type Manifest,
  type ManifestAnchor,
  type ManifestBody,
  type SignerKey,
  type SignerSet,
} from '../../../src/domain/trust/manifest.ts';
import { extensionOf, EXTENSIONS } from '../../../src/x509/extensions.ts';
import type { Certificate } from '../../../src/x509/certificate.ts';
import { makeCa, makeLeaf, newKey, NOW, type Holder } from '../../x509/path/test-authority.ts';

export { NOW } from '../../x509/path/test-authority.ts';

/** The extended key usage of bundle-signers in these tests. */
export const PURPOSE_OID = '1.3.6.1.4.1.32473.1.2';
const DAY_MS = 86_400_000;

export function days(count: number): Date {
  return new Date(NOW.getTime() + count * DAY_MS);
}

export interface Signer {
  readonly key: PrivateKey;
  readonly listed: SignerKey;
}

export interface TrustEstate {
  readonly g1: Holder;
  readonly g2: Holder;
  readonly transport: Holder;
  readonly newWithOld: Certificate;
  /** Each of five holders `p-1` to `p-5`. */
  readonly rsa: readonly Signer[];
  readonly sm2: readonly Signer[];
}

/** A bundle-signer's certificate under the legacy root: critical extended key usage of our own. */
export function signerCertificate(issuer: Holder, holder: string, key: PrivateKey, critical = true): Promise<Holder> {
  const purpose = { ...extensionOf(EXTENSIONS.extendedKeyUsage, [PURPOSE_OID]), critical };
  return makeLeaf(issuer, { name: holder, key, extensions: [purpose] });
}

async function signer(g1: Holder, position: number, algorithm: 'RSA' | 'SM2'): Promise<Signer> {
  const key = await newKey(algorithm);
  const holder = `p-${position}`;
  const { certificate } = await signerCertificate(g1, holder, key);
  return {
    key,
    listed: {
      kid: spkiSm3(key.spki),
      alg: algorithm === 'RSA' ? 'RSA-PSS-SHA256' : 'SM2-SM3',
      holder,
      spki: key.spki.toString('base64'),
      cert: certificate.der.toString('base64'),
    },
  };
}

async function make(): Promise<TrustEstate> {
  const g1 = await makeCa(undefined, { name: 'Root CA G1', key: await newKey('RSA') });
  const g2 = await makeCa(undefined, { name: 'Root CA G2' });
  const transport = await makeCa(undefined, { name: 'Transport', key: await newKey('EC-P256') });
  const link = await makeCa(g1, { key: g2.key, subject: g2.certificate.subject.der });
  const positions = [1, 2, 3, 4, 5];
  return {
    g1,
    g2,
    transport,
    newWithOld: link.certificate,
    rsa: await Promise.all(positions.map((at) => signer(g1, at, 'RSA'))),
    sm2: await Promise.all(positions.map((at) => signer(g1, at, 'SM2'))),
  };
}

let made: Promise<TrustEstate> | undefined;
/** Made once for the whole run. */
export function trustEstate(): Promise<TrustEstate> {
  return (made ??= make());
}

export function anchor(
  gen: string,
  { certificate }: Pick<Holder, 'certificate'>,
  state: ManifestAnchor['state'],
  more: Partial<ManifestAnchor> = {},
): ManifestAnchor {
  return {
    gen,
    alg: certificate.keyAlgorithm,
    spkiSm3: spkiSm3(certificate.spki),
    certSha256: sha256(certificate.der).toString('hex'),
    cert: certificate.der.toString('base64'),
    state,
    trustFrom: signedTime(days(-10)),
    purposes: ['ike', 'tlcp'],
    ...more,
  };
}

export function signerSet(set: string, signers: readonly Signer[], more: Partial<SignerSet> = {}): SignerSet {
  const keys = signers.map(({ listed: { cert: _first, ...listed } }) => listed);
  return { set, threshold: '3', emergencyThreshold: '4', keys, ...more };
}

/** Version 1: the RSA root alone, certified RSA signers. */
export function firstBody({ g1, transport, rsa }: TrustEstate, more: Partial<ManifestBody> = {}): ManifestBody {
  return {
    schema: MANIFEST_SCHEMA,
    bundle: 'extranet',
    version: '1',
    issuedAt: signedTime(days(-1)),
    expiresAt: signedTime(days(80)),
    pollSeconds: '21600',
    emergency: false,
    anchors: [anchor('G1', g1, 'ACTIVE'), anchor('transport', transport, 'TRUSTED', { purposes: ['api'] })],
    links: [],
    intermediates: [],
    distrustedSpki: [],
    signers: [{ ...signerSet('rsa', rsa), keys: rsa.map(({ listed }) => listed) }],
    ...more,
  };
}

/** The version after `previous`, the same but for `more`. */
export function nextBody(previous: ManifestBody, more: Partial<ManifestBody> = {}): ManifestBody {
  return {
    ...previous,
    version: String(Number(previous.version) + 1),
    prevDigest: manifestDigest(previous),
    signers: previous.signers.map((set) => ({
      ...set,
      keys: set.keys.map(({ cert: _first, ...listed }) => listed),
    })),
    ...more,
  };
}

/** The version that brings the SM2 root and the SM2 signers (T3). */
export function upgradeBody(
  estate: TrustEstate,
  previous: ManifestBody,
  more: Partial<ManifestBody> = {},
): ManifestBody {
  const { g1, g2, transport, newWithOld, rsa, sm2 } = estate;
  return nextBody(previous, {
    anchors: [
      anchor('G1', g1, 'ACTIVE'),
      anchor('G2', g2, 'TRUSTED'),
      anchor('transport', transport, 'TRUSTED', { purposes: ['api'] }),
    ],
    links: [{ type: 'newWithOld', from: 'G1', to: 'G2', cert: newWithOld.der.toString('base64') }],
    nextCommit: { alg: 'SM2', spkiSm3: `sm3:${'ab'.repeat(32)}` },
    signers: [signerSet('rsa', rsa), signerSet('sm2', sm2)],
    ...more,
  });
}

export function signedBy(body: ManifestBody, signers: readonly Signer[]): Manifest {
  const bytes = manifestBytes(body);
  return {
    body,
    signatures: signers.map(({ key, listed }) => {
      const algorithm = SIGNATURE_ALGORITHMS[listed.alg];
      return { kid: listed.kid, sig: algorithm.toRaw(algorithm.sign(key, bytes)).toString('base64') };
    }),
  };
}

export { makeCa } from '../../x509/path/test-authority.ts';
