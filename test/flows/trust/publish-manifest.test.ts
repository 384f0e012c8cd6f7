import { expect } from 'chai';
import { sha256 } from '../../../src/crypto/digests.ts';
import { spkiSm3 } from '../../../src/crypto/spki.ts';
import { manifestDigest, type ManifestBody } from '../../../src/domain/trust/manifest.ts';
import { publishManifest } from '../../../src/flows/trust/publish-manifest.ts';
import { refusal } from '../../crypto/refusal.ts';
import type { CastName } from '../../fixtures/estate.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { BUNDLE_SIGNERS, manifestMaker } from '../../fixtures/manifests.ts';
import { forEachDatabase } from '../../store/databases.ts';

forEachDatabase('publishManifest', (fixture) => {
  const test = testInstance(fixture);
  const maker = manifestMaker(test);
  const { next, signed } = maker;
  let first: ManifestBody;

  const publish = (manifest: Buffer, by: CastName = 'signerThree', bundle = 'extranet') =>
    publishManifest(test().instance, test().people[by].caller, { bundle, manifest });

  beforeEach(async () => {
    first = await maker.first();
  });

  it('serves version after version for ever, each with its event', async () => {
    await publish(await signed(first));
    const second = next(first, { pollSeconds: '3600' });
    const row = await publish(await signed(second), 'caOwner');
    expect(row).to.include({ version: 2, digest: manifestDigest(second) });
    const read = test().database.read((reader) => reader.trustBundles.from('extranet', 1, 10));
    expect((await read).map(({ version, digest }) => [version, digest])).to.deep.equal([
      [1, manifestDigest(first)],
      [2, manifestDigest(second)],
    ]);
    const events = await test().history('manifest', 'extranet');
    expect(events.map(({ act, out }) => [act, out])).to.deep.equal([
      ['manifest.publish', 'success'],
      ['manifest.publish', 'success'],
    ]);
    expect(events[1]?.det).to.include({
      version: 2,
      digest: manifestDigest(second),
      previousDigest: manifestDigest(first),
    });
  });

  it('publishes one of two that come at once', async () => {
    await publish(await signed(first));
    const rivals = await Promise.all(
      ['3600', '7200'].map(async (pollSeconds) => await signed(next(first, { pollSeconds }))),
    );
    const outcomes = await Promise.allSettled(rivals.map((rival) => publish(rival)));
    expect(outcomes.map(({ status }) => status).toSorted()).to.deep.equal(['fulfilled', 'rejected']);
    const lost = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason as { code: string }] : []));
    expect(lost.map(({ code }) => code)[0]).to.be.oneOf(['E_CONFLICT', 'E_TRUST']);
    expect(await fixture.sql('select version from trust_bundles')).to.have.length(2);
  });

  it('refuses what no device would accept, and keeps the refusal', async () => {
    const short = await refusal('E_TRUST', async () => publish(await signed(first, ['signerOne'])));
    expect(short.rule).to.equal('too-few-signers');
    await refusal('E_TRUST', async () => publish(await signed(next(first))));
    await publish(await signed(first));
    expect((await refusal('E_TRUST', async () => publish(await signed(first)))).rule).to.equal('rollback');
    const unlinked = next(first, { distrustedSpki: [`sm3:${'0'.repeat(64)}`], bundle: 'other' });
    expect((await refusal('E_TRUST', async () => publish(await signed(unlinked)))).rule).to.equal('other-bundle');
    const events = await test().history('manifest', 'extranet');
    expect(events.map(({ out }) => out)).to.deep.equal(['failure', 'failure', 'success', 'failure', 'failure']);
    expect(await fixture.sql('select version from trust_bundles')).to.have.length(1);
  });

  it('refuses a version 1 whose signers are not certified under the root', async () => {
    const { people } = test();
    const personal = first;
    const keys = personal.signers[0]!.keys.map((key, at) => ({
      ...key,
      cert: people[BUNDLE_SIGNERS[at]!].certificate.der.toString('base64'),
    }));
    const body = { ...personal, signers: [{ ...personal.signers[0]!, keys }] };
    expect((await refusal('E_TRUST', async () => publish(await signed(body)))).rule).to.equal('too-few-signers');
  });

  it('refuses signers that are none here, anchors that are none here, and callers without the role', async () => {
    const { people, estate } = test();
    const borrowed = first.signers[0]!.keys.map((key, at) => (at === 2 ? { ...key, holder: people.auditor.id } : key));
    const lent = { ...first, signers: [{ ...first.signers[0]!, keys: borrowed }] };
    await refusal('E_FORBIDDEN', async () => publish(await signed(lent)));
    await refusal('E_FORBIDDEN', async () => publish(await signed(first), 'raOne'));
    await publish(await signed(first));
    const { certificate } = estate.administratorCa;
    const foreign = {
      ...first.anchors[0]!,
      gen: 'admin',
      spkiSm3: spkiSm3(certificate.spki),
      certSha256: sha256(certificate.der).toString('hex'),
      cert: certificate.der.toString('base64'),
      state: 'TRUSTED',
      purposes: ['api'],
    } as const;
    const second = next(first, { anchors: [...first.anchors, foreign] });
    await refusal('E_CERT', async () => publish(await signed(second)));
  });

  it('keeps what is published from being changed or deleted', async () => {
    await publish(await signed(first));
    for (const sql of ["update trust_bundles set digest = 'x'", 'delete from trust_bundles']) {
      let refused = false;
      await fixture.sql(sql).catch(() => (refused = true));
      expect(refused, sql).to.equal(true);
    }
  });
});
