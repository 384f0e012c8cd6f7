import { expect } from 'chai';
import fc from 'fast-check';
import {
  manifestBytes,
  manifestDigest,
  manifestText,
  readManifest,
  type Manifest,
  type ManifestBody,
} from '../../../src/domain/trust/manifest.ts';
import { requireConsistent } from '../../../src/domain/trust/manifest-consistency.ts';
import { KmcError } from '../../../src/errors.ts';
import { refusalOf } from '../refusal.ts';
import { anchor, days, firstBody, nextBody, signedBy, trustEstate, type TrustEstate } from './trust-estate.ts';
import { signedTime } from '../../../src/domain/signed-body.ts';

describe('a trust-bundle manifest', () => {
  let estate: TrustEstate;
  let manifest: Manifest;

  before(async function () {
    this.timeout(60_000);
    estate = await trustEstate();
    manifest = signedBy(firstBody(estate), estate.rsa.slice(0, 3));
  });

  it('reads back as it was written, whatever the order of its signatures', () => {
    const text = manifestText(manifest);
    expect(readManifest(text)).to.deep.equal({
      body: manifest.body,
      signatures: [...manifest.signatures].toSorted((a, b) => (a.kid < b.kid ? -1 : 1)),
    });
    expect(manifestText({ ...manifest, signatures: manifest.signatures.toReversed() })).to.equal(text);
  });

  it('is signed over its domain prefix and its canonical body', () => {
    const bytes = manifestBytes(manifest.body);
    expect(bytes.subarray(0, 14).toString('latin1')).to.equal('KMC-BUNDLE-V1\0');
    expect(bytes[14]).to.equal('{'.charCodeAt(0));
    expect(manifestDigest(manifest.body)).to.match(/^sm3:[0-9a-f]{64}$/);
  });

  it('of another schema is refused by name, before anything else is looked at', () => {
    const other = manifestText(manifest).replace('kmc.trust-bundle/1', 'kmc.trust-bundle/2');
    expect(refusalOf(() => readManifest(other))).to.include({ code: 'E_TRUST', rule: 'unknown-schema' });
  });

  it('with a member too many, too few or of another kind is refused', () => {
    const changes: ((body: Record<string, unknown>) => void)[] = [
      (body) => delete body['expiresAt'],
      (body) => (body['extra'] = 'x'),
      (body) => (body['version'] = '01'),
      (body) => (body['emergency'] = 'false'),
      (body) => (body['distrustedSpki'] = ['sm3:00']),
      (body) => (body['nextCommit'] = { alg: 'SM2' }),
      (body) => (body['anchors'] = [{}]),
      (body) => (body['signers'] = [{ set: 'rsa' }]),
    ];
    for (const change of changes) {
      const body = structuredClone(manifest.body) as unknown as Record<string, unknown>;
      change(body);
      const text = JSON.stringify({ body, signatures: manifest.signatures });
      expect(refusalOf(() => readManifest(text))?.code, text.slice(0, 80)).to.equal('E_SCHEMA');
    }
  });

  it('whose bytes were changed anywhere either reads as another manifest or is refused with a code', () => {
    const bytes = Buffer.from(manifestText(manifest), 'utf8');
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ flip;
        try {
          expect(manifestText(readManifest(changed))).not.to.equal(bytes.toString('utf8'));
        } catch (error) {
          if (!(error instanceof KmcError)) throw error;
          expect(error.code).to.be.oneOf(['E_JSON', 'E_SCHEMA', 'E_TRUST', 'E_SIZE']);
        }
      }),
      { numRuns: 300 },
    );
  });

  describe('that contradicts itself', () => {
    const faults: readonly [string, string, (body: ManifestBody) => ManifestBody][] = [
      ['a digest of another certificate', 'inconsistent', (body) => changeAnchor(body, { certSha256: '0'.repeat(64) })],
      [
        'a key digest of another key',
        'inconsistent',
        (body) => changeAnchor(body, { spkiSm3: `sm3:${'0'.repeat(64)}` }),
      ],
      ['two anchors that are ACTIVE', 'inconsistent', (body) => twice(body)],
      [
        'a date of distrust on an ACTIVE anchor',
        'inconsistent',
        (body) => changeAnchor(body, { distrustAfter: signedTime(days(9)) }),
      ],
      ['an ACTIVE anchor for the transport only', 'inconsistent', (body) => changeAnchor(body, { purposes: ['api'] })],
      ['a purpose twice', 'inconsistent', (body) => changeAnchor(body, { purposes: ['ike', 'ike'] })],
      [
        'an anchor on the deny list',
        'deny-list',
        (body) => ({ ...body, distrustedSpki: [body.anchors[0]?.spkiSm3 ?? ''] }),
      ],
      ['more than 90 days', 'inconsistent', (body) => ({ ...body, expiresAt: signedTime(days(90)) })],
      ['an end before its beginning', 'inconsistent', (body) => ({ ...body, expiresAt: body.issuedAt })],
      ['a threshold of one', 'inconsistent', (body) => changeSet(body, { threshold: '1' })],
      [
        'a threshold above its holders',
        'inconsistent',
        (body) => changeSet(body, { threshold: '6', emergencyThreshold: '6' }),
      ],
      [
        'an emergency threshold below the other',
        'inconsistent',
        (body) => changeSet(body, { emergencyThreshold: '2' }),
      ],
      ['a version before the first', 'inconsistent', (body) => ({ ...body, prevDigest: `sm3:${'0'.repeat(64)}` })],
      ['no signers', 'inconsistent', (body) => ({ ...body, signers: [] })],
      ['an intermediate that is no certificate', 'inconsistent', (body) => ({ ...body, intermediates: ['MAA='] })],
    ];
    const changeAnchor = (body: ManifestBody, more: object): ManifestBody => ({
      ...body,
      anchors: body.anchors.map((each, at) => (at === 0 ? { ...each, ...more } : each)),
    });
    const changeSet = (body: ManifestBody, more: object): ManifestBody => ({
      ...body,
      signers: body.signers.map((each) => ({ ...each, ...more })),
    });
    const twice = (body: ManifestBody): ManifestBody => ({
      ...body,
      anchors: [...body.anchors, anchor('G2', estate.g2, 'ACTIVE')],
    });

    for (const [what, rule, change] of faults) {
      it(`is refused: ${what}`, () => {
        expect(refusalOf(() => requireConsistent(manifest.body))).to.equal(undefined);
        expect(refusalOf(() => requireConsistent(change(manifest.body)))).to.include({ code: 'E_TRUST', rule });
      });
    }

    it('is refused: certificates of signers in a later version, none in the first', () => {
      const next = nextBody(manifest.body);
      expect(refusalOf(() => requireConsistent(next))).to.equal(undefined);
      const certified = { ...next, signers: manifest.body.signers };
      expect(refusalOf(() => requireConsistent(certified))).to.include({ rule: 'inconsistent' });
      const bare = { ...manifest.body, signers: next.signers };
      expect(refusalOf(() => requireConsistent(bare))).to.include({ rule: 'inconsistent' });
    });
  });
});
