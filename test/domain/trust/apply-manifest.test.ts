import { expect } from 'chai';
import { signedTime } from '../../../src/domain/signed-body.ts';
import { applyManifests } from '../../../src/domain/trust/apply-manifest.ts';
import { ageAnchors, operationalCertificates } from '../../../src/domain/trust/device-anchors.ts';
import { acceptProvisioned } from '../../../src/domain/trust/first-manifest.ts';
import { manifestDigest, type Manifest, type ManifestBody } from '../../../src/domain/trust/manifest.ts';
import type { TrustRule } from '../../../src/domain/trust/trust-rules.ts';
import type { TrustState } from '../../../src/domain/trust/trust-state.ts';
import { refusalOf } from '../refusal.ts';
import {
  anchor,
  days,
  firstBody,
  makeCa,
  nextBody,
  NOW,
  signedBy,
  signerSet,
  trustEstate,
  upgradeBody,
  type Signer,
  type TrustEstate,
} from './trust-estate.ts';

/** A device that holds version 1. */
function started(estate: TrustEstate): TrustState {
  const manifest = signedBy(firstBody(estate), estate.rsa.slice(0, 3));
  return acceptProvisioned(manifest, manifestDigest(manifest.body), NOW);
}

const stateOf = (state: TrustState, spkiSm3: string): string =>
  state.anchors.find((each) => each.spkiSm3 === spkiSm3)?.state ?? 'NONE';
const generations = (state: TrustState): string[] => operationalCertificates(state).map(({ gen }) => gen);

describe('a device that goes from one manifest to the next', () => {
  let estate: TrustEstate;
  let device: TrustState;
  let first: ManifestBody;
  let three: readonly Signer[];
  let both: readonly Signer[];

  before(async function () {
    this.timeout(60_000);
    estate = await trustEstate();
    device = started(estate);
    first = device.manifest.body;
    three = estate.rsa.slice(0, 3);
    both = [...three, ...estate.sm2.slice(2, 5)];
  });

  const refused = (rule: TrustRule, manifests: readonly Manifest[], from = device, now = NOW): void => {
    expect(refusalOf(() => applyManifests(from, manifests, now))).to.include({ code: 'E_TRUST', rule });
  };

  it('holds a new anchor back for a day, then trusts it beside the old one', () => {
    const after = applyManifests(device, [signedBy(upgradeBody(estate, first), both)], NOW);
    const g2 = anchor('G2', estate.g2, 'TRUSTED').spkiSm3;
    expect(stateOf(after, g2)).to.equal('PENDING');
    expect(generations(after)).to.deep.equal(['G1', 'transport']);
    const early = { ...after, anchors: ageAnchors(after, new Date(days(1).getTime() - 1000)) };
    expect(stateOf(early, g2)).to.equal('PENDING');
    const later = { ...after, anchors: ageAnchors(after, days(1)) };
    expect(generations(later)).to.deep.equal(['G1', 'G2', 'transport']);
  });

  it('starts the hold-down anew when the anchor was gone in between', () => {
    const second = upgradeBody(estate, first);
    const gone = nextBody(second, { anchors: first.anchors, links: [] });
    const back = nextBody(gone, { anchors: second.anchors, links: second.links });
    const walked = applyManifests(device, [signedBy(second, both)], NOW);
    const without = applyManifests(walked, [signedBy(gone, both)], days(0.5));
    const again = applyManifests(without, [signedBy(back, both)], days(0.9));
    const g2 = anchor('G2', estate.g2, 'TRUSTED').spkiSm3;
    expect(stateOf({ ...again, anchors: ageAnchors(again, days(1.5)) }, g2)).to.equal('PENDING');
    expect(stateOf({ ...again, anchors: ageAnchors(again, days(1.9)) }, g2)).to.equal('TRUSTED');
  });

  it('does not trust an anchor before its trustFrom', () => {
    const body = upgradeBody(estate, first);
    const anchors = body.anchors.map((each) =>
      each.gen === 'G2' ? { ...each, trustFrom: signedTime(days(5)) } : each,
    );
    const after = applyManifests(device, [signedBy({ ...body, anchors }, both)], NOW);
    const g2 = anchor('G2', estate.g2, 'TRUSTED').spkiSm3;
    expect(stateOf({ ...after, anchors: ageAnchors(after, days(4)) }, g2)).to.equal('PENDING');
    expect(stateOf({ ...after, anchors: ageAnchors(after, days(5)) }, g2)).to.equal('TRUSTED');
  });

  it('walks through versions that have ended, as long as the last one is in force', () => {
    const ended = upgradeBody(estate, first, { issuedAt: signedTime(days(-5)), expiresAt: signedTime(days(-2)) });
    const third = nextBody(ended, { issuedAt: signedTime(days(-1)), expiresAt: signedTime(days(60)) });
    expect(applyManifests(device, [signedBy(ended, both), signedBy(third, both)], NOW).manifest.body.version).to.equal(
      '3',
    );
    refused('expired', [signedBy(ended, both)]);
  });

  it('retires the old root by date: in use until then, distrusted for ever after', () => {
    const g1 = anchor('G1', estate.g1, 'ACTIVE').spkiSm3;
    const second = upgradeBody(estate, first);
    const retiring = nextBody(second, {
      anchors: [
        anchor('G1', estate.g1, 'RETIRING', { distrustAfter: signedTime(days(30)) }),
        anchor('G2', estate.g2, 'ACTIVE'),
      ],
    });
    const state = applyManifests(device, [signedBy(second, both)], NOW);
    const after = applyManifests(state, [signedBy(retiring, both)], days(2));
    expect(stateOf(after, g1)).to.equal('RETIRING');
    expect(generations(after)).to.deep.equal(['G1', 'G2']);
    const cleared = nextBody(retiring, {
      anchors: [anchor('G1', estate.g1, 'TRUSTED'), anchor('G2', estate.g2, 'ACTIVE')],
    });
    expect(stateOf(applyManifests(after, [signedBy(cleared, both)], days(20)), g1)).to.equal('TRUSTED');
    refused('deny-list', [signedBy(cleared, both)], after, days(31));
  });

  it('takes the old root out, keeps it on the deny list and gives up its signers', () => {
    const second = upgradeBody(estate, first);
    const g1 = anchor('G1', estate.g1, 'ACTIVE').spkiSm3;
    const removed = nextBody(second, {
      anchors: [anchor('G2', estate.g2, 'ACTIVE')],
      links: [],
      distrustedSpki: [g1],
      signers: [signerSet('sm2', estate.sm2)],
    });
    const state = applyManifests(device, [signedBy(second, both)], NOW);
    const after = applyManifests(state, [signedBy(removed, both)], days(2));
    expect(stateOf(after, g1)).to.equal('DISTRUSTED');
    expect(generations(after)).to.deep.equal(['G2']);
    expect(after.retiredSets).to.deep.equal(['rsa']);
    const forgotten = nextBody(removed, { distrustedSpki: [] });
    refused('deny-list', [signedBy(forgotten, estate.sm2)], after, days(2));
    const backwards = nextBody(removed, { signers: [signerSet('sm2', estate.sm2), signerSet('rsa', estate.rsa)] });
    refused('downgrade', [signedBy(backwards, [...estate.sm2, ...estate.rsa])], after, days(2));
  });

  describe('refuses', () => {
    it('a version that skips one', () => {
      const second = upgradeBody(estate, first);
      refused('skipped-version', [signedBy(nextBody(second), both)]);
    });

    it('the version it has, and an older one', () => {
      refused('rollback', [device.manifest]);
      const later = applyManifests(device, [signedBy(upgradeBody(estate, first), both)], NOW);
      refused('rollback', [device.manifest], later);
    });

    it('a wrong digest of the version before', () => {
      const body = upgradeBody(estate, first, { prevDigest: `sm3:${'1'.repeat(64)}` });
      refused('previous-digest', [signedBy(body, both)]);
    });

    it('another bundle', () => {
      refused('other-bundle', [signedBy(upgradeBody(estate, first, { bundle: 'other' }), both)]);
    });

    it('one from the future', () => {
      const body = upgradeBody(estate, first, { issuedAt: signedTime(days(2)) });
      refused('not-yet-issued', [signedBy(body, both)]);
    });

    it('too few signers of the old set, and of the new one', () => {
      const body = upgradeBody(estate, first);
      refused('too-few-signers', [signedBy(body, [...estate.rsa.slice(0, 2), ...estate.sm2])]);
      refused('too-few-signers', [signedBy(body, [...estate.rsa, ...estate.sm2.slice(0, 2)])]);
    });

    it('one signer twice in place of a third', () => {
      const body = upgradeBody(estate, first);
      const [one, two] = estate.rsa;
      refused('too-few-signers', [signedBy(body, [one!, two!, two!, ...estate.sm2])]);
    });

    it('one holder with two keys in place of a third', async () => {
      const [one, two, three_, ...rest] = estate.sm2;
      const twin = { ...three_!, listed: { ...three_!.listed, holder: two!.listed.holder } };
      const sm2 = signerSet('sm2', [one!, two!, twin, ...rest]);
      const body = upgradeBody(estate, first, { signers: [signerSet('rsa', estate.rsa), sm2] });
      refused('too-few-signers', [signedBy(body, [...three, one!, two!, twin])]);
      expect(applyManifests(device, [signedBy(body, [...three, one!, two!, rest[0]!])], NOW).manifest.body).to.equal(
        body,
      );
    });

    it('a signature over another body, and one by another key under the right name', () => {
      const body = upgradeBody(estate, first);
      const other = signedBy(upgradeBody(estate, first, { pollSeconds: '60' }), both);
      refused('too-few-signers', [{ body, signatures: other.signatures }]);
      const [a, b] = estate.sm2;
      const lying = { key: b!.key, listed: a!.listed };
      refused('too-few-signers', [signedBy(body, [...three, lying, ...estate.sm2.slice(3)])]);
    });

    it('changed keys of a set that the set of the version before did not sign', () => {
      const second = upgradeBody(estate, first);
      const state = applyManifests(device, [signedBy(second, both)], NOW);
      const [, ...four] = estate.sm2;
      const changed = nextBody(second, { signers: [signerSet('rsa', estate.rsa), signerSet('sm2', four)] });
      // The old rsa set and the new sm2 set as it now is: but the sm2 set of before must have agreed.
      const [gone, kept] = [estate.sm2[0]!, estate.sm2.slice(1)];
      refused('too-few-signers', [signedBy(changed, [...three, ...kept.slice(0, 2), gone])], state);
      expect(applyManifests(state, [signedBy(changed, [...three, ...kept])], NOW).manifest.body).to.equal(changed);
    });

    it('RSA signers alone once the SM2 signers are there: a downgrade', () => {
      const second = upgradeBody(estate, first);
      const state = applyManifests(device, [signedBy(second, both)], NOW);
      const back = nextBody(second, { signers: [signerSet('rsa', estate.rsa)] });
      refused('downgrade', [signedBy(back, both)], state);
    });

    it('sets in another order', () => {
      const second = upgradeBody(estate, first);
      const state = applyManifests(device, [signedBy(second, both)], NOW);
      const turned = nextBody(second, { signers: second.signers.toReversed() });
      refused('downgrade', [signedBy(turned, both)], state);
    });

    it('an anchor without a link certificate', () => {
      refused('link-missing', [signedBy(upgradeBody(estate, first, { links: [] }), both)]);
    });

    it('an anchor whose link certificate does not match', async () => {
      const stranger = await makeCa(undefined, { name: 'Root CA G1', key: estate.g1.key });
      const other = await makeCa(undefined, { name: 'Somebody Else' });
      const links = {
        'over another key': (await makeCa(estate.g1, { subject: estate.g2.certificate.subject.der })).certificate,
        'with another name': (await makeCa(estate.g1, { key: estate.g2.key, name: 'Another' })).certificate,
        'by another issuer': (await makeCa(other, { key: estate.g2.key, subject: estate.g2.certificate.subject.der }))
          .certificate,
        'in the name of the old root': (
          await makeCa(
            { key: other.key, certificate: stranger.certificate },
            { key: estate.g2.key, subject: estate.g2.certificate.subject.der },
          )
        ).certificate,
        'that has ended': (
          await makeCa(estate.g1, {
            key: estate.g2.key,
            subject: estate.g2.certificate.subject.der,
            notAfter: days(-1),
          })
        ).certificate,
      };
      for (const certificate of Object.values(links)) {
        const link = { type: 'newWithOld', from: 'G1', to: 'G2', cert: certificate.der.toString('base64') } as const;
        refused('link-mismatch', [signedBy(upgradeBody(estate, first, { links: [link] }), both)]);
      }
      const fromTransport = {
        type: 'newWithOld',
        from: 'transport',
        to: 'G2',
        cert: estate.newWithOld.der.toString('base64'),
      } as const;
      refused('link-mismatch', [signedBy(upgradeBody(estate, first, { links: [fromTransport] }), both)]);
    });

    it('an emergency with another key than the one committed to, or with signers below the emergency threshold', async () => {
      const standby = await makeCa(undefined, { name: 'Root CA G3' });
      const commit = { alg: 'SM2', spkiSm3: anchor('G3', standby, 'ACTIVE').spkiSm3 };
      const second = upgradeBody(estate, first, { nextCommit: commit });
      const state = applyManifests(device, [signedBy(second, both)], NOW);
      const { nextCommit: _spent, ...rest } = second;
      const emergency = nextBody(rest, {
        prevDigest: manifestDigest(second),
        emergency: true,
        anchors: [anchor('G1', estate.g1, 'DISTRUSTED'), anchor('G3', standby, 'ACTIVE')],
        links: [],
        distrustedSpki: [anchor('G1', estate.g1, 'ACTIVE').spkiSm3],
      });
      const four = [...estate.rsa.slice(0, 4), ...estate.sm2.slice(0, 4)];
      refused('too-few-signers', [signedBy(emergency, both)], state);
      const after = applyManifests(state, [signedBy(emergency, four)], NOW);
      expect(generations(after)).to.deep.equal(['G3']);
      const stranger = await makeCa(undefined, { name: 'Root CA G4' });
      const wrong = { ...emergency, anchors: [anchor('G4', stranger, 'ACTIVE')] };
      refused('not-committed', [signedBy(wrong, four)], state);
    });
  });
});
