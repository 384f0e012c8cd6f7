import { expect } from 'chai';
import { sha256 } from '../../../src/crypto/digests.ts';
import { operationalCertificates } from '../../../src/domain/trust/device-anchors.ts';
import {
  acceptByFingerprint,
  acceptFirstVersion,
  acceptProvisioned,
} from '../../../src/domain/trust/first-manifest.ts';
import {
  manifestDigest,
  type Manifest,
  type ManifestBody,
  type SignerKey,
} from '../../../src/domain/trust/manifest.ts';
import { readTrustState, trustStateText } from '../../../src/domain/trust/trust-state.ts';
import { sm3Fingerprint } from '../../../src/x509/certificate.ts';
import { refusalOf } from '../refusal.ts';
import {
  days,
  firstBody,
  nextBody,
  NOW,
  PURPOSE_OID,
  signedBy,
  signerCertificate,
  trustEstate,
  upgradeBody,
  makeCa,
  type TrustEstate,
} from './trust-estate.ts';

describe('the first manifest of a device', () => {
  let estate: TrustEstate;
  let manifest: Manifest;

  before(async function () {
    this.timeout(60_000);
    estate = await trustEstate();
    manifest = signedBy(firstBody(estate), estate.rsa.slice(0, 3));
  });

  const inTheField = (given: Manifest, anchor = estate.g1.certificate) =>
    acceptFirstVersion(given, { anchor, purposeOid: PURPOSE_OID, now: NOW });
  const withKeys = (change: (key: SignerKey, at: number) => SignerKey): ManifestBody => ({
    ...manifest.body,
    signers: manifest.body.signers.map((set) => ({ ...set, keys: set.keys.map(change) })),
  });

  it('is version 1, by signers certified under the anchor that the device has', () => {
    const state = inTheField(manifest);
    expect(operationalCertificates(state).map(({ gen }) => gen)).to.deep.equal(['G1', 'transport']);
    expect(readTrustState(trustStateText(state))).to.deep.equal({
      ...state,
      manifest: { ...manifest, signatures: [...manifest.signatures].toSorted((a, b) => (a.kid < b.kid ? -1 : 1)) },
    });
  });

  it('is refused under another anchor, even one of the same name', async () => {
    const other = await makeCa(undefined, { name: 'Root CA G1' });
    expect(refusalOf(() => inTheField(manifest, other.certificate))).to.include({ rule: 'too-few-signers' });
  });

  it('is refused when the certificates are no bundle-signers: another purpose, not critical, one person twice', async () => {
    const { rsa, g1 } = estate;
    const careless = await Promise.all(
      rsa.map(async ({ key, listed }) => {
        const { certificate } = await signerCertificate(g1, listed.holder, key, false);
        return certificate.der.toString('base64');
      }),
    );
    const notCritical = withKeys((key, at) => ({ ...key, cert: careless[at]! }));
    expect(refusalOf(() => inTheField(signedBy(notCritical, rsa)))).to.include({ rule: 'too-few-signers' });
    const otherPurpose = () =>
      acceptFirstVersion(manifest, { anchor: g1.certificate, purposeOid: '1.3.6.1.5.5.7.3.2', now: NOW });
    expect(refusalOf(otherPurpose)).to.include({ rule: 'too-few-signers' });
    const samePerson = await Promise.all(
      rsa.map(async ({ key, listed }, at) => {
        const { certificate } = await signerCertificate(g1, at < 3 ? 'p-1' : listed.holder, key);
        return certificate.der.toString('base64');
      }),
    );
    const oneOfThree = withKeys((key, at) => ({ ...key, cert: samePerson[at]! }));
    expect(refusalOf(() => inTheField(signedBy(oneOfThree, rsa.slice(0, 3))))).to.include({ rule: 'too-few-signers' });
    expect(inTheField(signedBy(oneOfThree, rsa)).manifest.body).to.equal(oneOfThree);
  });

  it('is refused when it is not version 1, has ended, or does not trust the anchor of the device', async () => {
    const second = signedBy(nextBody(manifest.body), estate.rsa);
    expect(refusalOf(() => inTheField(second))).to.include({ rule: 'first-version' });
    const late = () =>
      acceptFirstVersion(manifest, { anchor: estate.g1.certificate, purposeOid: PURPOSE_OID, now: days(81) });
    expect(refusalOf(late)).to.include({ code: 'E_TRUST' });
    const other = firstBody(estate, { anchors: manifest.body.anchors.slice(1) });
    expect(refusalOf(() => inTheField(signedBy(other, estate.rsa)))).to.include({ rule: 'first-version' });
  });

  it('is the newest one for a new device, under a digest from elsewhere', () => {
    const body = upgradeBody(estate, manifest.body);
    const newest = signedBy(body, [...estate.rsa, ...estate.sm2]);
    const state = acceptProvisioned(newest, manifestDigest(body), NOW);
    expect(operationalCertificates(state).map(({ gen }) => gen)).to.deep.equal(['G1', 'G2', 'transport']);
    const wrong = () => acceptProvisioned(newest, manifestDigest(manifest.body), NOW);
    expect(refusalOf(wrong)).to.include({ rule: 'fingerprint' });
    const unsigned = () => acceptProvisioned({ body, signatures: [] }, manifestDigest(body), NOW);
    expect(refusalOf(unsigned)).to.include({ rule: 'too-few-signers' });
    expect(refusalOf(() => acceptProvisioned(newest, manifestDigest(body), days(81)))).to.include({ rule: 'expired' });
  });

  it('may rest on fingerprints that two operators typed, each the same and each another person', () => {
    const { der } = estate.g1.certificate;
    const right = { sm3: sm3Fingerprint(der), sha256: `sha256:${sha256(der).toString('hex')}` };
    const half = { ...right, sha256: `sha256:${'0'.repeat(64)}` };
    const typed = (first: typeof right, second: typeof right, operators: [string, string] = ['p-1', 'p-2']) =>
      acceptByFingerprint(manifest, [first, second], operators, NOW);
    expect(typed(right, right).manifest).to.equal(manifest);
    expect(refusalOf(() => typed(right, half))).to.include({ rule: 'fingerprint' });
    expect(refusalOf(() => typed(right, right, ['p-1', 'p-1']))).to.include({ code: 'E_SAME_PERSON' });
  });
});
