import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { encodePem } from '../../src/crypto/asn1/pem.ts';
import { signedTime } from '../../src/domain/signed-body.ts';
import type { ManifestBody } from '../../src/domain/trust/manifest.ts';
import { readReadiness } from '../../src/flows/fleet/read-readiness.ts';
import { readinessBody, readReadinessBody } from '../../src/domain/fleet/readiness-body.ts';
import { UPGRADE_FLEET } from '../../src/flows/fleet/upgrade-fleet.ts';
import { refusal } from '../crypto/refusal.ts';
import { testInstance } from '../fixtures/instance.ts';
import { manifestMaker } from '../fixtures/manifests.ts';
import { reportingGateway, Reports, type ReportingGateway } from '../fixtures/reporting.ts';
import { carryOut } from '../flows/people/people-acts.ts';
import { forEachDatabase } from '../store/databases.ts';
import { servedCommands } from './served-commands.ts';
import { runKmc } from './run-kmc.ts';

const UPGRADE = 'ru-g2';

forEachDatabase('the fleet of an upgrade', (fixture) => {
  const test = testInstance(fixture);
  const served = servedCommands(test);
  const maker = manifestMaker(test);
  let manifest: ManifestBody;
  const reports = new Reports(test, () => manifest);

  beforeEach(async () => {
    manifest = await maker.publish(await maker.first());
  });

  const gateway = (id: string, model = 'VPN-1000'): Promise<ReportingGateway> =>
    reportingGateway(test(), served().service.url, id, { model });

  const view = () => ({ upgradeId: UPGRADE, rootSm3: reports.rootSm3, at: test().clock.now() });
  const scope = () => ({ upgrade: UPGRADE, rootSm3: reports.rootSm3, at: test().clock.now() });
  const readiness = async () => {
    const found = await test().database.read((reader) => readReadiness(reader, view(), 'VERIFIED'));
    if (found === undefined) throw new Error('no members');
    return found;
  };

  /** A ring of one, then everybody in one wave. */
  async function rollOut(...ring: string[]): Promise<void> {
    await test().database.transaction((tx) => UPGRADE_FLEET.enlistRing(tx, scope(), ring));
    await test().database.transaction((tx) => UPGRADE_FLEET.enlistFleet(tx, scope()));
    await test().database.transaction((tx) => UPGRADE_FLEET.beginWave(tx, scope(), { all: true }, 1));
  }

  async function waive(device: string, days = 30): Promise<string> {
    const { people, clock } = test();
    const until = signedTime(new Date(clock.now().getTime() + days * 86_400_000));
    const asked = [
      'root-upgrade',
      'waive',
      UPGRADE,
      device,
      '--until',
      until,
      '--reason',
      'waits for firmware 5',
      '--json',
    ];
    const ran = await served().run(people.caOwner, ...asked);
    expect(ran.code, ran.err).to.equal(3);
    return String(ran.json()['request']);
  }

  const decided = async (request: string): Promise<void> => {
    const { people } = test();
    await served().approve(request, [people.caOperatorOne, people.securityOne]);
    await served().json(people.caOwner, 'request', 'execute', request);
  };

  it('is counted in the database as it stands, with stragglers by name', async () => {
    const [a, b] = [await gateway('gw-a'), await gateway('gw-b', 'VPN-2000')];
    await gateway('gw-c');
    await rollOut('gw-a');
    await reports.reach(a, 'MIGRATED');
    await reports.reach(b, 'FETCHED');
    const found = await readiness();
    expect(found.overall).to.deep.include({ counted: 3, dark: 0, waived: 0 });
    expect(found.overall.reached).to.deep.equal({ OFFERED: 3, FETCHED: 2, INSTALLED: 1, VERIFIED: 1, MIGRATED: 1 });
    expect(found.ring).to.deep.include({ counted: 1 });
    expect(found.models.map(({ model, firmware, counted }) => [model, firmware, counted])).to.deep.equal([
      ['VPN-1000', '4.2.1', 1],
      ['VPN-1000', undefined, 1],
      ['VPN-2000', '4.2.1', 1],
    ]);
    expect(found.stragglers.listed.map(({ id, level, stage }) => [id, level, stage])).to.deep.equal([
      ['gw-b', 'FETCHED', 'running'],
      ['gw-c', 'OFFERED', 'running'],
    ]);
    expect(found.evidence.reports).to.equal(2);
    test().clock.advance(31 * 86_400);
    const later = await readiness();
    expect(later.overall).to.deep.include({ counted: 3, dark: 3 });
    expect(later.overall.reached).to.include({ VERIFIED: 1, MIGRATED: 0 });
    expect(later.stragglers.listed.map(({ stage }) => stage)).to.deep.equal(['named', 'named']);
    expect(readReadinessBody(readinessBody(later))).to.deep.equal({
      ...later,
      at: new Date(Math.floor(later.at.getTime() / 1000) * 1000),
      stragglers: {
        ...later.stragglers,
        listed: later.stragglers.listed.map((each) => ({ ...each, ...wholeSeconds(each, 'offeredAt', 'seenAt') })),
      },
      evidence: { ...later.evidence, ...wholeSeconds(later.evidence, 'oldest', 'newest') },
    });
  });

  function wholeSeconds<Name extends string>(of: Readonly<Record<Name, Date | undefined>>, ...names: Name[]): object {
    return Object.fromEntries(
      names.map((name) => {
        const at = of[name];
        return [name, at === undefined ? undefined : new Date(Math.floor(at.getTime() / 1000) * 1000)];
      }),
    );
  }

  it('loses a device by decommissioning and not by anything else, and takes in those that come later', async () => {
    await gateway('gw-a');
    await gateway('gw-b');
    await rollOut('gw-a');
    await fixture.sql("update devices set status = 'suspended' where id = 'gw-b'");
    expect((await readiness()).overall.counted).to.equal(2);
    let refused = false;
    await fixture.sql('delete from fleet_members').catch(() => (refused = true));
    expect(refused).to.equal(true);
    await gateway('gw-c');
    expect(await test().database.transaction((tx) => UPGRADE_FLEET.enlistFleet(tx, scope()))).to.equal(1);
    expect((await readiness()).overall.counted).to.equal(3);
    const { people } = test();
    const params = { region: '110000', reason: 'cessationOfOperation' };
    const asked = { op: 'device.decommission', targetId: 'gw-b', params } as const;
    await carryOut(test(), asked, [people.caOperatorOne, people.securityOne]);
    expect((await readiness()).overall.counted).to.equal(2);
  });

  it('lets a device out for the time of a waiver that two approved, renewed once', async () => {
    await gateway('gw-a');
    await gateway('gw-b');
    await rollOut('gw-a');
    const first = await waive('gw-b');
    expect((await readiness()).overall).to.deep.include({ counted: 2, waived: 0 });
    await decided(first);
    expect((await readiness()).overall).to.deep.include({ counted: 1, waived: 1 });
    expect([
      ...(await test().database.read((reader) => UPGRADE_FLEET.waived(reader, UPGRADE, view().at))),
    ]).to.deep.equal(['gw-b']);
    await decided(await waive('gw-b', 60));
    const { people, clock } = test();
    const listed = await served()
      .service.client(people.caOwner)
      .json('GET', `/api/v1/root-upgrades/${UPGRADE}/waivers`);
    expect((listed as { items: object[] }).items).to.have.length(2);
    const late = signedTime(new Date(clock.now().getTime() + 30 * 86_400_000));
    const params = { upgrade: UPGRADE, region: '110000', reason: 'x', until: late };
    const asked = { op: 'device.waive', targetId: 'gw-b', params } as const;
    const two = [people.caOperatorOne, people.securityOne];
    await refusal('E_STATE', () => carryOut(test(), asked, two));
    const foreign = { ...asked, targetId: 'gw-a', params: { ...params, upgrade: 'ru-other' } };
    await refusal('E_STATE', () => carryOut(test(), foreign, two));
    const tooLong = signedTime(new Date(clock.now().getTime() + 91 * 86_400_000));
    const longest = { ...asked, targetId: 'gw-a', params: { ...params, until: tooLong } };
    await refusal('E_TIME', () => carryOut(test(), longest, two));
    test().clock.advance(61 * 86_400);
    expect((await readiness()).overall).to.deep.include({ counted: 2, waived: 0 });
  });

  it('leaves evidence that verifies offline, and in which every tampering is found', async () => {
    const [a, b] = [await gateway('gw-a'), await gateway('gw-b')];
    await gateway('gw-c');
    await rollOut('gw-a');
    await reports.reach(a, 'VERIFIED');
    await reports.reach(b, 'INSTALLED');
    const { people, estate } = test();
    const folder = served().files.path('evidence');
    const taken = await served().json(people.caOwner, 'root-upgrade', 'evidence', UPGRADE, '--take', '--out', folder);
    expect(taken['members']).to.equal('3');
    const anchor = served().files.write('root.pem', encodePem('CERTIFICATE', estate.root.certificate.der));
    const verify = (where: string) =>
      runKmc(['root-upgrade', 'evidence', 'verify', where, '--anchor', anchor, '--json']);
    const good = await verify(folder);
    expect(good.code, good.out).to.equal(0);
    expect(good.json()).to.deep.include({ ok: true, digest: taken['digest'], members: 3, reports: 2, faults: [] });
    const snapshot = await test().database.read((reader) => UPGRADE_FLEET.snapshot(reader, UPGRADE));
    expect(snapshot).to.deep.include({ digest: taken['digest'] });
    expect(snapshot?.readiness.overall.reached).to.include({ INSTALLED: 2, VERIFIED: 1 });

    type Leaf = { leaf: { member: Record<string, unknown>; report?: Record<string, string> }; certificate?: string };
    const lines = readFileSync(join(folder, 'leaves.jsonl'), 'utf8').trim().split('\n');
    const changed = (edit: (leaves: Leaf[]) => unknown, body: (text: string) => string = (text) => text): string => {
      const copy = served().files.path(`copy-${Math.floor(performance.now() * 1000)}`);
      cpSync(folder, copy, { recursive: true });
      const leaves = lines.map((line) => JSON.parse(line) as Leaf);
      edit(leaves);
      writeFileSync(join(copy, 'leaves.jsonl'), leaves.map((leaf) => `${JSON.stringify(leaf)}\n`).join(''));
      writeFileSync(join(copy, 'evidence.json'), body(readFileSync(join(folder, 'evidence.json'), 'utf8')));
      return copy;
    };
    const flip = (base64: string): string => {
      const octets = Buffer.from(base64, 'base64');
      octets.writeUInt8(octets.readUInt8(20) ^ 1, 20);
      return octets.toString('base64');
    };
    const edits: Record<string, (leaves: Leaf[]) => unknown> = {
      'a report is dropped': ([first]) => delete first?.leaf.report,
      'a member is dropped': (leaves) => leaves.pop(),
      'two members change places': (leaves) => leaves.reverse(),
      'a base is altered': ([first]) =>
        Object.assign(first!.leaf.report!, { base: flip(first!.leaf.report!['base']!) }),
      'a body is altered': ([first]) =>
        Object.assign(first!.leaf.report!, { body: flip(first!.leaf.report!['body']!) }),
      'a signature is altered': ([first]) =>
        Object.assign(first!.leaf.report!, { signature: flip(first!.leaf.report!['signature']!) }),
      'a level is raised': (leaves) => Object.assign(leaves[1]!.leaf.member, { level: 'VERIFIED' }),
      'a level comes from nothing': (leaves) => Object.assign(leaves[2]!.leaf.member, { level: 'VERIFIED' }),
      'a report is lent to another device': (leaves) => {
        leaves[2]!.leaf.report = leaves[0]!.leaf.report!;
        leaves[2]!.certificate = leaves[0]!.certificate!;
      },
      'a waiver appears': (leaves) =>
        Object.assign(leaves[2]!.leaf.member, { waivedUntil: signedTime(new Date(Date.now() + 86_400_000)) }),
    };
    for (const [what, edit] of Object.entries(edits)) {
      expect((await verify(changed(edit))).code, what).to.equal(4);
    }
    const figures = changed(
      () => undefined,
      (text) => text.replace('"VERIFIED":"1"', '"VERIFIED":"2"'),
    );
    expect((await verify(figures)).json()).to.deep.include({ ok: false });
    const other = served().files.write('other.pem', encodePem('CERTIFICATE', estate.administratorCa.certificate.der));
    const untrusted = await runKmc(['root-upgrade', 'evidence', 'verify', folder, '--anchor', other, '--json']);
    expect(untrusted.code).to.equal(4);
  });

  it('finds a forger who makes the tree anew over reports that no device signed', async () => {
    const a = await gateway('gw-a');
    await rollOut('gw-a');
    await reports.reach(a, 'INSTALLED');
    // As someone would who may write the database: the report of a higher level under the old signature.
    const [row] = await fixture.sql('select body, signature_base, signature from device_reports');
    const forged = Buffer.from(String(row?.['body']).replace('INSTALLED', 'MIGRATED'));
    expect(forged.equals(row?.['body'] as Buffer)).to.equal(false);
    await fixture.sql(
      'drop trigger device_reports_unchanged' + (fixture.engine === 'postgresql' ? ' on device_reports' : ''),
    );
    await fixture.sql('update device_reports set body = ?', [forged]);
    await fixture.sql('update fleet_positions set level = 3');
    const { people, estate } = test();
    const folder = served().files.path('evidence');
    await served().json(people.caOwner, 'root-upgrade', 'evidence', UPGRADE, '--take', '--out', folder);
    const anchor = served().files.write('root.pem', encodePem('CERTIFICATE', estate.root.certificate.der));
    const ran = await runKmc(['root-upgrade', 'evidence', 'verify', folder, '--anchor', anchor, '--json']);
    expect(ran.code).to.equal(4);
    expect(JSON.stringify(ran.json()['faults'])).to.include('does not hold');
  });

  it('is divided into waves by a share that nobody chose, by regions, and then all', async () => {
    const ids = Array.from({ length: 12 }, (_, at) => `gw-${at}`);
    for (const id of ids) await gateway(id);
    await test().database.transaction((tx) => UPGRADE_FLEET.enlistFleet(tx, scope()));
    const begin = (wave: Parameters<typeof UPGRADE_FLEET.beginWave>[2], number: number) =>
      test().database.transaction((tx) => UPGRADE_FLEET.beginWave(tx, scope(), wave, number));
    const half = await begin({ percent: 50 }, 1);
    expect(await begin({ percent: 50 }, 2)).to.equal(0);
    expect(await begin({ regions: ['310000'] }, 2)).to.equal(0);
    const rest = await begin({ all: true }, 3);
    expect(half + rest).to.equal(12);
    expect(half).to.be.within(1, 11);
    const offered = await test().database.read((reader) => UPGRADE_FLEET.isOffered(reader, UPGRADE, 'gw-0'));
    expect(offered).to.equal(true);
    const cover = await test().database.read((reader) => UPGRADE_FLEET.ring(reader, ['gw-0', 'gw-none']));
    expect(cover).to.deep.include({ devices: 2, unknown: ['gw-none'], missingModels: [], missingRegions: [] });
  });
});
