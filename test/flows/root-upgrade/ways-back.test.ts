import { expect } from 'chai';
import { readManifest } from '../../../src/domain/trust/manifest.ts';
import { createRequest } from '../../../src/flows/approvals/create-request.ts';
import { executeRequest } from '../../../src/flows/approvals/execute-request.ts';
import { renewResponders } from '../../../src/flows/ocsp/renew-responders.ts';
import { pauseFailing } from '../../../src/flows/root-upgrade/pause-failing.ts';
import { latestFor, publicLatest, publicVersion, versionFor } from '../../../src/flows/root-upgrade/serve-manifest.ts';
import { suspendUpgrade } from '../../../src/flows/root-upgrade/suspend-upgrade.ts';
import { publishManifest } from '../../../src/flows/trust/publish-manifest.ts';
import { refusal } from '../../crypto/refusal.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { figures, planBody, UPGRADE, Upgrading } from '../../fixtures/upgrading.ts';
import { forEachDatabase } from '../../store/databases.ts';

const SOURCE = { node: 'node-1' };

forEachDatabase('a root upgrade that does not go straight', function (fixture) {
  const test = testInstance(fixture);
  let upgrading: Upgrading;
  beforeEach(async () => {
    upgrading = await Upgrading.begin(test());
  });

  /** The version that is served: to everybody, to a device of the ring, to another device. */
  async function served(): Promise<string> {
    const { fleet } = upgrading;
    return await test().database.read(async (reader) => {
      const rows = [
        await publicLatest(reader, 'extranet'),
        await latestFor(reader, fleet, 'extranet', 'gw-1'),
        await latestFor(reader, fleet, 'extranet', 'gw-2'),
        await publicVersion(reader, 'extranet', 2),
        await versionFor(reader, fleet, { bundle: 'extranet', version: 2, device: 'gw-1' }),
      ];
      return rows.map((row) => row?.version ?? 0).join(' ');
    });
  }

  async function resume(): Promise<void> {
    const { caOwner } = test().people;
    const input = { op: 'root.resume', targetId: UPGRADE, params: {}, reason: 'repaired', source: SOURCE } as const;
    const { request } = await createRequest(upgrading.ports, input, test().people.securityOne.caller);
    const once = await refusal('E_QUORUM', () =>
      executeRequest(upgrading.ports, { requestId: request.id, source: SOURCE }, caOwner.caller),
    );
    expect(once.code).to.equal('E_QUORUM');
    await upgrading.approve(request.id, 'root.resume');
    await executeRequest(upgrading.ports, { requestId: request.id, source: SOURCE }, caOwner.caller);
  }

  it('serves the new manifest to the ring alone in the pilot, by number in the rollout, to all after the last wave', async function () {
    this.timeout(60_000);
    await upgrading.reach('STAGED');
    expect(await served()).to.equal('1 1 1 0 0');
    await upgrading.reach('PILOT').catch(() => undefined);
    await upgrading.make('T4', { ring: ['gw-1'] }).catch(() => undefined);
    expect(await upgrading.state()).to.equal('PILOT');
    expect(await served()).to.equal('1 2 1 0 2');
    upgrading.days(14);
    upgrading.reached('VERIFIED');
    await upgrading.attest('no-open-incident');
    await upgrading.attest('rollback-drill');
    await upgrading.make('T5');
    expect(await served()).to.equal('1 2 1 2 2');
    const { caller } = test().people.systemOne;
    await suspendUpgrade(upgrading.ports, caller, { upgrade: UPGRADE, reason: 'incident 12' });
    expect(await served(), 'nobody else is offered it').to.equal('1 1 1 2 2');
    await resume();
    const { openWave } = await import('../../../src/flows/root-upgrade/open-wave.ts');
    for (const wave of [2, 3]) {
      upgrading.days(1);
      await openWave(upgrading.ports, caller, { upgrade: UPGRADE, requestId: `req-${wave}` });
    }
    expect(await served()).to.equal('2 2 2 2 2');
  });

  it('given up in the pilot takes nobody else through the version that only the ring has', async function () {
    this.timeout(60_000);
    await upgrading.reach('PILOT');
    await refusal('E_SCHEMA', () => upgrading.call('R1'));
    expect((await upgrading.make('R1', { reason: 'peers break' })).state).to.equal('ABORTED');
    expect(await upgrading.authority('sm2-issuing-g3')).to.equal('retired');
    expect(await upgrading.authority('sm2-issuing')).to.equal('active');
    expect(await served()).to.equal('1 1 1 0 0');
    await refusal('E_STATE', () => upgrading.call('R1', { reason: 'again' }));
    // The next version follows the one of the ring, without the new anchor; everybody goes straight to it.
    const row = await test().database.read((reader) => reader.trustBundles.latest('extranet'));
    const { body } = readManifest(row?.manifest ?? Buffer.alloc(0));
    const { manifestDigest } = await import('../../../src/domain/trust/manifest.ts');
    const { nextCommit: _given, ...kept } = body;
    const back = {
      ...kept,
      version: '3',
      prevDigest: manifestDigest(body),
      anchors: body.anchors.filter(({ gen }) => gen === 'G2'),
      links: [],
      distrustedSpki: [body.anchors.find(({ gen }) => gen === 'G3')?.spkiSm3 ?? ''],
    };
    await publishManifest(test().instance, test().people.signerOne.caller, {
      bundle: 'extranet',
      manifest: await upgrading.sign(back),
    });
    expect(await served()).to.equal('3 3 3 2 2');
  });

  it('switches the issuer back from ACTIVE, and reaches READY and ACTIVE again', async function () {
    this.timeout(90_000);
    await upgrading.reach('ACTIVE');
    expect(await upgrading.authority('sm2-issuing')).to.equal('restricted');
    expect((await upgrading.make('R2', { reason: 'peers break' })).state).to.equal('ROLLED_BACK');
    expect(await upgrading.authority('sm2-issuing')).to.equal('active');
    expect(await upgrading.authority('sm2-issuing-g3'), 'what it issued stays good').to.equal('restricted');
    expect((await upgrading.latest()).version, 'both anchors stay').to.equal('2');
    await refusal('E_STATE', () => upgrading.call('R1', { reason: 'give up' }));
    upgrading.reached('VERIFIED');
    await upgrading.snapshot();
    expect((await upgrading.make('R3', { reason: 'cause closed: ticket 7' })).state).to.equal('READY');
    const { blockedBy } = await refusal('E_STATE', () => upgrading.call('R1', { reason: 'give up' }));
    expect(blockedBy.map(({ guard }) => guard)).to.deep.equal(['never-issued']);
    await renewResponders(test().instance, SYSTEM);
    expect((await upgrading.make('T7')).state).to.equal('ACTIVE');
    expect(await upgrading.authority('sm2-issuing-g3')).to.equal('active');
  });

  it('clears the date of the old anchor until it has passed, by a higher version', async function () {
    this.timeout(90_000);
    await upgrading.reach('RETIRING');
    const dated = await upgrading.latest();
    expect(dated.anchors.map(({ gen, state }) => `${gen} ${state}`)).to.deep.equal(['G2 RETIRING', 'G3 ACTIVE']);
    await upgrading.stage('clear');
    expect((await upgrading.make('U9')).state).to.equal('MIGRATED');
    const cleared = await upgrading.latest();
    expect(cleared.version).to.equal('4');
    expect(cleared.anchors.map(({ gen, state }) => `${gen} ${state}`)).to.deep.equal(['G2 TRUSTED', 'G3 ACTIVE']);
    await upgrading.stage('retire');
    await upgrading.make('T9');
    await upgrading.stage('clear');
    upgrading.days(31);
    const { blockedBy } = await refusal('E_STATE', () => upgrading.call('U9'));
    expect(blockedBy.map(({ guard }) => guard)).to.deep.equal(['not-distrusted-yet', 'manifest-clear']);
  });

  it('pauses by itself when too many devices of a wave fail, and only two people let it go on', async function () {
    this.timeout(60_000);
    await upgrading.reach('ROLLOUT');
    upgrading.fleet.figures = figures(test().clock.now(), 'FETCHED', { total: 1_000, faulty: 5 });
    expect(await pauseFailing(upgrading.ports, SYSTEM)).to.deep.equal([]);
    upgrading.fleet.figures = figures(test().clock.now(), 'FETCHED', { total: 1_000, faulty: 6 });
    expect(await pauseFailing(upgrading.ports, SYSTEM)).to.deep.equal([UPGRADE]);
    expect(await upgrading.state()).to.equal('ROLLOUT SUSPENDED');
    const { blockedBy } = await refusal('E_STATE', () => upgrading.call('T6'));
    expect(blockedBy[0]?.guard).to.equal('suspended');
    await resume();
    expect(await upgrading.state()).to.equal('ROLLOUT');
  });

  it('moves once, whoever calls at the same time, and goes on after a crash between request and execution', async function () {
    this.timeout(60_000);
    await upgrading.attest('staging-rehearsal');
    const asked = await upgrading.call('T1');
    expect(asked.outcome).to.equal('asked');
    expect((await upgrading.call('T1')).outcome).to.equal('waits');
    await upgrading.approve(asked.request ?? '', 'root.plan');
    const calls = await Promise.allSettled([1, 2, 3, 4].map(() => upgrading.call('T1')));
    const made = calls.filter((call) => call.status === 'fulfilled' && call.value.outcome === 'made');
    expect(made).to.have.length(1);
    expect(await upgrading.state()).to.equal('PLANNED');
    const steps = await test().database.read((reader) => reader.rootUpgrades.steps(UPGRADE));
    expect(steps.map(({ step }) => step)).to.deep.equal(['T1']);
  });

  it('is replaced by a newer plan, and one alone runs for a bundle', async function () {
    this.timeout(60_000);
    await upgrading.reach('PLANNED');
    await upgrading.plan(planBody({ id: 'other' }));
    const { securityOne, auditor, caOwner } = test().people;
    const newer = async () => {
      const input = { upgrade: 'other', transition: 'T1', why: 'a test', requestId: 'req-1' } as const;
      const { advanceUpgrade } = await import('../../../src/flows/root-upgrade/advance-upgrade.ts');
      return await advanceUpgrade(upgrading.ports, securityOne.caller, input);
    };
    const { blockedBy } = await refusal('E_STATE', newer);
    expect(blockedBy.map(({ guard }) => guard)).to.deep.equal(['staging-rehearsal', 'alone']);
    await upgrading.plan(planBody({ id: 'other', supersedes: UPGRADE }));
    await upgrading.attest('staging-rehearsal', { upgrade: 'other' });
    const asked = await newer();
    await upgrading.approve(asked.request ?? '', 'root.plan');
    expect((await newer()).state).to.equal('PLANNED');
    expect(await upgrading.state()).to.equal('SUPERSEDED');
    const row = await test().database.read((reader) => reader.rootUpgrades.find(UPGRADE));
    expect(row?.supersededBy).to.equal('other');
    expect(auditor.id).to.not.equal(caOwner.id);
  });
});

forEachDatabase('an emergency', (fixture) => {
  const test = testInstance(fixture);

  it('stops the old generation at once, and goes to the standby root by the emergency threshold', async function () {
    this.timeout(90_000);
    const upgrading = await Upgrading.begin(test());
    await upgrading.reach('ROLLOUT');
    await upgrading.emergency();
    const { blockedBy } = await refusal('E_STATE', () => upgrading.call('E2', {}, 'sos'));
    expect(blockedBy.map(({ guard }) => guard)).to.deep.equal(['new-issuing-ca', 'manifest-emergency']);
    expect(await upgrading.authority('sm2-issuing'), 'it issues nothing any more').to.equal('crl-only');
    expect(await upgrading.state()).to.equal('SUPERSEDED');
    await upgrading.bringStandbyIssuing();
    const short = await refusal('E_TRUST', () => upgrading.stage('emergency', ['signerOne', 'signerTwo'], 'sos'));
    expect(short.rule).to.equal('too-few-signers');
    const body = await upgrading.stage('emergency', ['signerOne', 'signerTwo', 'signerThree'], 'sos');
    expect(body.emergency).to.equal(true);
    expect((await upgrading.call('E2', {}, 'sos')).state).to.equal('ACTIVE');
    const latest = await upgrading.latest();
    expect(latest.anchors.map(({ gen, state }) => `${gen} ${state}`)).to.deep.equal([
      'G2 DISTRUSTED',
      'G3 TRUSTED',
      'G4 ACTIVE',
    ]);
    expect(await upgrading.authority('sm2-issuing-g4')).to.equal('active');
  });
});
