import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { DeviceFolder } from '../../src/agent/device-folder.ts';
import { deviceStatus } from '../../src/agent/device-status.ts';
import { enrol } from '../../src/agent/enrol.ts';
import { runRound, type RunPorts } from '../../src/agent/run-device.ts';
import { createClient } from '../../src/agent/signed-client.ts';
import { readTrustFolder, writeTrustFolder } from '../../src/agent/trust-folder.ts';
import { rootOfPair, trustPath } from '../../src/agent/trust-round.ts';
import { createSoftwareEngine } from '../../src/crypto/software-engine.ts';
import { readAlternativeNames } from '../../src/domain/device.ts';
import { acceptProvisioned } from '../../src/domain/trust/first-manifest.ts';
import { manifestDigest, readManifest, type ManifestBody } from '../../src/domain/trust/manifest.ts';
import { signedTime } from '../../src/domain/signed-body.ts';
import { renewDevice } from '../../src/flows/enrolments/renew-device.ts';
import { awaitLock } from '../../src/keystore/lock-file.ts';
import { sm3Fingerprint } from '../../src/x509/certificate.ts';
import { refusal } from '../crypto/refusal.ts';
import { readyDevice, registered, requestFor, tokenFor } from '../fixtures/enrolling.ts';
import { enrolDevice } from '../../src/flows/enrolments/enrol-device.ts';
import { testInstance } from '../fixtures/instance.ts';
import { manifestMaker } from '../fixtures/manifests.ts';
import { secondGeneration, type SecondGeneration } from '../fixtures/second-generation.ts';
import { liveService } from '../http/live-service.ts';
import { forEachDatabase } from '../store/databases.ts';

const PASSPHRASE = Buffer.from('a passphrase of the device');
const DAY = 86_400;

forEachDatabase('the trust of a device', (fixture) => {
  const test = testInstance(fixture);
  const service = liveService(test);
  const maker = manifestMaker(test);
  let path: string;
  let folder: DeviceFolder;
  let manifest: ManifestBody;
  let generation: SecondGeneration;

  const clock = (): number => test().clock.now().getTime();

  function ports(): RunPorts {
    const baseUrl = service().url;
    return {
      engine: createSoftwareEngine(),
      client: createClient({ baseUrl, clock }),
      clientOf: (signer) => createClient({ baseUrl, signer, clock }),
      now: () => test().clock.now(),
      lock: awaitLock,
    };
  }

  const round = () => runRound(ports(), folder, { passphrase: PASSPHRASE, firmware: '4.2.1' });
  const advance = (seconds: number) => test().clock.advance(seconds);
  const publish = async (more: Partial<ManifestBody>): Promise<void> => {
    const issued = { issuedAt: signedTime(test().clock.now()) };
    const expires = { expiresAt: signedTime(new Date(clock() + 60 * DAY * 1000)) };
    manifest = await maker.publish(maker.next(manifest, { ...issued, ...expires, ...more }));
  };
  const levels = async () => {
    const rows = await test().database.read((reader) => reader.deviceReports.positions('gw-1'));
    return Object.fromEntries(rows.map(({ rootSm3, level }) => [rootSm3 === generation.rootSm3 ? 'G3' : 'G2', level]));
  };

  beforeEach(async () => {
    path = mkdtempSync(join(tmpdir(), 'kmc-trust-'));
    folder = new DeviceFolder(path);
    generation = await secondGeneration(test());
    manifest = await maker.publish(await maker.first());
    const device = await registered(test(), 'gw-1');
    const { token } = await tokenFor(test(), 'gw-1');
    const answer = await enrol(ports(), {
      deviceId: 'gw-1',
      subject: device.subject,
      alternativeNames: readAlternativeNames(device.alternativeNames),
      token,
      passphrase: PASSPHRASE,
      root: test().estate.root.certificate.der,
      folder: path,
    });
    expect(answer.bundleVersion).to.equal('1');
    const first = readManifest(await maker.signed(manifest));
    writeTrustFolder(trustPath(folder), acceptProvisioned(first, manifestDigest(manifest), test().clock.now()));
  });
  afterEach(() => rmSync(path, { recursive: true, force: true }));

  it('goes by itself from the first root to a pair under the second, and says so at each level', async () => {
    expect((await round()).trust).to.deep.include({
      state: 'unchanged',
      reports: ['INSTALLED', 'VERIFIED', 'MIGRATED'],
    });
    expect((await round()).trust).to.deep.include({ state: 'unchanged', reports: [] });
    await publish(generation.installing);
    expect((await round()).trust).to.deep.include({ version: '2', state: 'new' });
    // The anchor waits for its hold-down: it is in no store, whatever was fetched.
    expect(await levels()).to.include({ G3: 'FETCHED' });
    expect(deviceStatus(folder).trust?.anchors.map(({ gen, state }) => [gen, state])).to.deep.equal([
      ['G2', 'TRUSTED'],
      ['G3', 'PENDING'],
    ]);
    advance(DAY + 60);
    await round();
    expect(await levels()).to.include({ G3: 'INSTALLED' });
    expect(readFileSync(join(trustPath(folder), 'anchors.pem'), 'utf8').match(/BEGIN/g)).to.have.length(2);
    await generation.activate();
    await publish(generation.activating);
    advance(DAY);
    const moved = await round();
    expect(moved.renewed).to.equal(true);
    expect(rootOfPair(folder)).to.equal(generation.rootSm3);
    expect(await levels()).to.include({ G3: 'MIGRATED' });
    expect((await round()).renewed).to.equal(false);
    const { certificates } = await test().database.read(async (reader) => ({
      certificates: await reader.certificates.list({ deviceId: 'gw-1', status: 'good' }, { limit: 10 }),
    }));
    expect(certificates.map(({ authorityId }) => authorityId).toSorted()).to.deep.equal([
      'sm2-issuing',
      'sm2-issuing',
      'sm2-issuing-g3',
      'sm2-issuing-g3',
    ]);
  });

  it('stays where it is when a manifest is refused, and reports the rule', async () => {
    const [link] = generation.installing.links;
    const wrong = {
      ...generation.installing,
      links: [{ ...link!, cert: generation.root.certificate.der.toString('base64') }],
    };
    // The service would not publish it either: it comes to the device as from a bad mirror.
    const body = maker.next(manifest, wrong);
    const row = await maker.signed(body);
    const { lastAuditEvent } = (await test().database.read((reader) => reader.trustBundles.latest('extranet')))!;
    await fixture.sql(
      `insert into trust_bundles (bundle, version, digest, manifest, published_by, published_at, last_audit_event)
       values ('extranet', 2, ?, ?, 'nobody', ?, ?)`,
      [manifestDigest(body), row, test().clock.now().toISOString(), lastAuditEvent],
    );
    const { trust } = await round();
    expect(trust, JSON.stringify(trust)).to.deep.include({ version: '1', state: 'refused', rule: 'link-mismatch' });
    expect(readTrustFolder(trustPath(folder))?.manifest.body.version).to.equal('1');
    const reports = await fixture.sql("select fault from device_reports where level = 'FETCHED'");
    expect(reports.map(({ fault }) => fault)).to.deep.equal(['link-mismatch']);
  });

  it('is not written by two at once', async () => {
    const held = await awaitLock(trustPath(folder));
    try {
      expect((await round()).trust).to.deep.include({ state: 'failed', code: 'E_CONFLICT' });
    } finally {
      held.release();
    }
    expect((await round()).trust).to.deep.include({ state: 'unchanged' });
  }).timeout(20_000);

  it('gives one pair for each device and generation, to whoever of many comes first', async () => {
    const { engine } = test().instance;
    const ready = await readyDevice(test(), 'gw-2');
    const outcome = await enrolDevice(test().instance, ready.input);
    if (outcome.state !== 'ISSUED') throw new Error(outcome.state);
    await generation.activate();
    advance(10);
    const certificateSm3 = sm3Fingerprint(outcome.answer.signCertificate);
    const caller = { type: 'device', id: 'gw-2', region: '110000', certificateSm3 } as const;
    const requests = await Promise.all(
      Array.from({ length: 8 }, async () => requestFor(engine, ready.device, await engine.generateKeyPair('SM2'))),
    );
    const tried = await Promise.allSettled(requests.map((csr) => renewDevice(test().instance, caller, { csr })));
    expect(tried.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
    const codes = tried.flatMap((each) => (each.status === 'rejected' ? [(each.reason as { code: string }).code] : []));
    expect(new Set(codes)).to.deep.equal(new Set(['E_CONFLICT']));
    const issued = await fixture.sql(
      "select id from certificates where device_id = 'gw-2' and authority_id = 'sm2-issuing-g3'",
    );
    expect(issued).to.have.length(2);
    // The same key gets the same answer; another one only after the pair was revoked.
    const winner = requests[tried.findIndex(({ status }) => status === 'fulfilled')]!;
    const again = await renewDevice(test().instance, caller, { csr: winner });
    const first = tried.find((each) => each.status === 'fulfilled')!;
    expect(again).to.deep.equal((first as PromiseFulfilledResult<unknown>).value);
    const other = requests.find((csr) => csr !== winner)!;
    await refusal('E_CONFLICT', () => renewDevice(test().instance, caller, { csr: other }));
    await fixture.sql(
      "update certificates set status = 'revoked', revoked_at = ?, reason = 'keyCompromise', last_audit_event = (select min(id) from audit_event) where device_id = 'gw-2' and authority_id = 'sm2-issuing-g3'",
      [test().clock.now().toISOString()],
    );
    await renewDevice(test().instance, caller, { csr: other });
  });
});
