import { expect } from 'chai';
import { applyManifests, upToDateDevice } from '../../../src/domain/trust/apply-manifest.ts';
import { readManifest } from '../../../src/domain/trust/manifest.ts';
import { openWave } from '../../../src/flows/root-upgrade/open-wave.ts';
import { OPENSSL_VERIFIER } from '../../../src/main/openssl-verifier.ts';
import { refusal } from '../../crypto/refusal.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { UPGRADE, Upgrading } from '../../fixtures/upgrading.ts';
import { forEachDatabase } from '../../store/databases.ts';

forEachDatabase('a root upgrade', (fixture) => {
  const test = testInstance(fixture);
  let upgrading: Upgrading;
  beforeEach(async () => {
    upgrading = await Upgrading.begin(test(), OPENSSL_VERIFIER);
  });

  /** The guards that block a transition. */
  async function blocking(work: Promise<unknown>): Promise<string[]> {
    const { blockedBy } = await refusal('E_STATE', () => work);
    return [...new Set(blockedBy.map(({ guard }) => guard))];
  }

  it('goes the whole way, with every guard shut before it opens', async function () {
    this.timeout(60_000);
    expect(await blocking(upgrading.call('T1'))).to.deep.equal(['staging-rehearsal']);
    await upgrading.reach('PLANNED');
    expect(await upgrading.state()).to.equal('PLANNED');
    expect(await blocking(upgrading.call('T2'))).to.deep.equal([
      'ceremony-room',
      'hsm-self-test',
      'new-root',
      'standby-root',
    ]);
    await upgrading.bringRoots();
    await upgrading.attest('ceremony-room');
    await upgrading.attest('hsm-self-test');
    expect((await upgrading.make('T2')).state).to.equal('KEYED');

    expect(await blocking(upgrading.call('T3'))).to.include.members(['new-issuing-ca', 'links', 'old-root-restricted']);
    await upgrading.bringLinks();
    expect(await upgrading.authority('sm2-issuing-g3'), 'it does not issue before ACTIVE').to.equal('staged');
    expect(await upgrading.authority('sm2-root')).to.equal('crl-only');
    expect(await blocking(upgrading.call('T3'))).to.deep.equal(['manifest-stage']);
    await upgrading.stage('stage');
    expect((await upgrading.make('T3')).state).to.equal('STAGED');
    expect((await upgrading.latest()).version, 'nothing is served').to.equal('1');

    upgrading.fleet.cover = { missingModels: ['Example SG-2 1.0'] };
    expect(await blocking(upgrading.call('T4', { ring: ['gw-1'] }))).to.deep.equal(['ring-covers']);
    upgrading.fleet.cover = {};
    expect((await upgrading.make('T4', { ring: ['gw-1'] })).state).to.equal('PILOT');
    expect([...upgrading.fleet.offered]).to.deep.equal(['gw-1']);

    upgrading.reached('INSTALLED', ['gw-1']);
    expect(await blocking(upgrading.call('T5'))).to.deep.equal([
      'ring-verified',
      'soak',
      'no-open-incident',
      'rollback-drill',
    ]);
    upgrading.days(14);
    upgrading.reached('VERIFIED');
    await upgrading.attest('no-open-incident');
    await upgrading.attest('rollback-drill');
    expect((await upgrading.make('T5')).state).to.equal('ROLLOUT');

    const wave = () =>
      openWave(upgrading.ports, test().people.systemOne.caller, { upgrade: UPGRADE, requestId: 'req-1' });
    expect(await blocking(wave())).to.deep.equal(['interval']);
    upgrading.days(1);
    expect((await wave()).wave).to.equal(2);
    expect(await blocking(upgrading.call('T6'))).to.deep.equal(['waves', 'hold-down', 'evidence']);
    upgrading.days(1);
    await wave();
    expect(upgrading.fleet.begun).to.deep.equal(['1 {"percent":1}', '2 {"percent":10}', '3 {"all":true}']);
    upgrading.days(29);
    upgrading.reached('VERIFIED', ['gw-7', 'gw-8']);
    await upgrading.snapshot();
    const refused = await refusal('E_STATE', () => upgrading.call('T6'));
    expect(refused.blockedBy.map(({ guard }) => guard)).to.include.members(['fleet', 'evidence']);
    expect(refused.blockedBy[0]).to.include({ guard: 'fleet' });
    expect(refused.blockedBy[0]?.devices).to.deep.equal(['gw-7', 'gw-8']);
    expect(refused.blockedBy[0]?.numbers).to.deep.equal({ reached: '998', counted: '1000', wanted: '99.9' });
    upgrading.reached('VERIFIED', ['gw-7'], 1_000);
    await upgrading.snapshot();
    expect((await upgrading.make('T6')).state).to.equal('READY');

    expect(await blocking(upgrading.call('T7'))).to.deep.equal(['status-live', 'capacity-test']);
    upgrading.days(2);
    await upgrading.snapshot();
    await upgrading.reach('ACTIVE').catch(() => undefined);
    expect(await upgrading.state()).to.equal('READY');
  });

  it('ends in CLOSED, with manifests that a device takes one after the other', async function () {
    this.timeout(60_000);
    await upgrading.reach('RETIRING');
    expect(await upgrading.state()).to.equal('RETIRING');
    expect(await upgrading.authority('sm2-issuing')).to.equal('restricted');
    expect(await upgrading.authority('sm2-issuing-g3')).to.equal('active');
    expect(await blocking(upgrading.call('T10'))).to.deep.equal(['distrusted', 'manifest-remove']);
    upgrading.days(31);
    await upgrading.stage('remove');
    expect((await upgrading.make('T10')).state).to.equal('REMOVED');
    expect(await upgrading.authority('sm2-issuing')).to.equal('crl-only');
    expect(await blocking(upgrading.call('T11'))).to.deep.equal([
      'remove-hold-down',
      'archive-written',
      'old-root-destroyed',
    ]);
    upgrading.days(31);
    await upgrading.attest('archive-written');
    await test().database.transaction(async (tx) => {
      const row = await tx.authorities.find('sm2-root');
      await tx.authorities.move('sm2-root', { state: 'crl-only', version: row?.version ?? 0 }, 'retired');
    });
    expect((await upgrading.make('T11')).state).to.equal('CLOSED');

    const rows = await test().database.read((reader) => reader.trustBundles.from('extranet', 1, 10));
    const [first, ...rest] = rows.map(({ manifest }) => readManifest(manifest));
    expect(rest).to.have.length(3);
    const after = applyManifests(upToDateDevice(first!, [], test().clock.now()), rest, test().clock.now());
    const { body } = after.manifest;
    expect(body.anchors.map(({ gen, state }) => [gen, state])).to.deep.equal([['G3', 'ACTIVE']]);
    expect(body.distrustedSpki).to.deep.equal([first?.body.anchors[0]?.spkiSm3]);
    const history = await test().history('root-upgrade', UPGRADE);
    const made = history.filter(({ act, out }) => act === 'upgrade.transition' && out === 'success');
    expect(made.map(({ det }) => `${String(det['step'])} ${String(det['to'])}`)).to.deep.equal([
      'T1 PLANNED',
      'T2 KEYED',
      'T3 STAGED',
      'T4 PILOT',
      'T5 ROLLOUT',
      'T6 READY',
      'T7 ACTIVE',
      'T8 MIGRATED',
      'T9 RETIRING',
      'T10 REMOVED',
      'T11 CLOSED',
    ]);
  });
});
