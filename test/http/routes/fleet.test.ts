import { expect } from 'chai';
import { createClient } from '../../../src/agent/signed-client.ts';
import { verifySignature, SIGNATURE_ALGORITHMS } from '../../../src/crypto/algorithms.ts';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import { REPORT_PATH } from '../../../src/domain/fleet/device-report.ts';
import { signedTime } from '../../../src/domain/signed-body.ts';
import type { ManifestBody } from '../../../src/domain/trust/manifest.ts';
import { parseCertificate, sm3Fingerprint } from '../../../src/x509/certificate.ts';
import { refusal } from '../../crypto/refusal.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { manifestMaker } from '../../fixtures/manifests.ts';
import { reportingGateway, Reports, type ReportingGateway } from '../../fixtures/reporting.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { liveService } from '../live-service.ts';

forEachDatabase('reports of devices', (fixture) => {
  const test = testInstance(fixture);
  const service = liveService(test);
  const bundle = manifestMaker(test);
  let manifest: ManifestBody;
  let gateway: ReportingGateway;

  const enrolled = (id: string): Promise<ReportingGateway> => reportingGateway(test(), service().url, id);

  beforeEach(async () => {
    manifest = await bundle.publish(await bundle.first());
    gateway = await enrolled('gw-1');
  });

  const reports = new Reports(test, () => manifest);
  const report = (...given: Parameters<Reports['body']>) => reports.body(...given);
  const send = (body: object, by = gateway) => reports.send(by, body);
  const proof = (anchors?: readonly Buffer[]) => reports.proof(gateway, anchors);
  const migrated = (more: object = {}) => reports.pair(gateway, more);

  const positions = (id = 'gw-1') => test().database.read((reader) => reader.deviceReports.positions(id));
  const level = async (id?: string) => (await positions(id))[0]?.level;

  it('lead from FETCHED to MIGRATED, each kept with the signed request that carried it', async () => {
    for (const [body, reached] of [
      [report('FETCHED'), 'FETCHED'],
      [report('INSTALLED'), 'INSTALLED'],
      [report('VERIFIED', { canary: await proof() }), 'VERIFIED'],
      [report('MIGRATED', { certificates: migrated() }), 'MIGRATED'],
    ] as const) {
      await send(body);
      expect(await level()).to.equal(reached);
    }
    const rows = await fixture.sql('select * from device_reports order by id');
    expect(rows).to.have.length(4);
    const certificate = parseCertificate(gateway.sign);
    for (const row of rows) {
      const base = row['signature_base'] as Buffer;
      const signature = SIGNATURE_ALGORITHMS['SM2-SM3'].fromRaw(row['signature'] as Buffer);
      expect(verifySignature('SM2-SM3', certificate.spki, base, signature)).to.equal(true);
      expect(base.toString()).to.include(`sm3=:${sm3(row['body'] as Buffer).toString('base64')}:`);
      expect(row['certificate_sm3']).to.equal(sm3Fingerprint(gateway.sign));
    }
    const device = await test().database.read((reader) => reader.devices.find('gw-1'));
    expect(device?.firmware).to.equal('4.2.1');
    const events = (await test().history('device', 'gw-1')).filter(({ act }) => act === 'device.report');
    expect(events.map(({ det }) => det['level'])).to.deep.equal(['FETCHED', 'INSTALLED', 'VERIFIED', 'MIGRATED']);
  });

  it('skip no level, and name a version that was published', async () => {
    const canary = await proof();
    await refusal('E_STATE', () => send(report('VERIFIED', { canary })));
    await send(report('INSTALLED'));
    await refusal('E_STATE', () => send(report('MIGRATED', { certificates: migrated() })));
    const other = { ...manifest, version: '2' };
    await refusal('E_STATE', () => send(report('FETCHED', {}, other)));
    await refusal('E_STATE', () => send(report('FETCHED', { bundleDigest: `sm3:${'0'.repeat(64)}` })));
    expect(await level()).to.equal('INSTALLED');
  });

  it('never go back to a lower version, and lose what is not in the store any more', async () => {
    await send(report('INSTALLED'));
    const second = await bundle.publish(bundle.next(manifest));
    await send(report('FETCHED', {}, second));
    await send(report('INSTALLED'));
    await send(report('INSTALLED', {}, second));
    await refusal('E_STALE', () => send(report('INSTALLED')));
    await refusal('E_STALE', () => send(report('FETCHED')));
    expect(await level()).to.equal('INSTALLED');
    await send(report('INSTALLED', { anchors: [] }, second));
    expect(await level()).to.equal('FETCHED');
  });

  it('prove by the canary that the operational validator tells the true root from one of its name', async () => {
    await send(report('INSTALLED'));
    const canary = await proof();
    expect(canary).to.deep.include({ accepted: true, decoyAccepted: false });
    expect(canary.pathSpki.at(-1)).to.equal(reports.rootSm3);
    // A store without the root accepts neither; one that goes by names accepts both.
    const without = await proof([test().estate.administratorCa.certificate.der]);
    expect(without).to.deep.include({ nonce: canary.nonce, accepted: false, decoyAccepted: false });
    await send(report('VERIFIED', { canary: { ...canary, decoyAccepted: true } }));
    expect((await positions())[0]).to.deep.include({ level: 'INSTALLED', fault: 'canary' });
    await refusal('E_STATE', () => send(report('VERIFIED', { canary })));
    const again = await proof();
    expect(again.nonce).to.not.equal(canary.nonce);
    await send(report('VERIFIED', { canary: again }));
    expect((await positions())[0]).to.deep.include({ level: 'VERIFIED', fault: undefined });
  });

  it('are refused with a canary of another device, of other leaves, or with a path to another root', async () => {
    await send(report('INSTALLED'));
    const other = await enrolled('gw-2');
    const canary = await proof();
    await send(report('INSTALLED'), other);
    await refusal('E_STATE', () => send(report('VERIFIED', { canary }), other));
    const swapped = { ...canary, leafSm3: canary.decoySm3, decoySm3: canary.leafSm3 };
    await refusal('E_STATE', () => send(report('VERIFIED', { canary: swapped })));
    await refusal('E_STATE', () => send(report('VERIFIED', { canary: { ...canary, pathSpki: [] } })));
    test().clock.advance(24 * 3600 + 1);
    await refusal('E_STATE', () => send(report('VERIFIED', { canary })));
  });

  it('say MIGRATED only under the new certificate, of a pair of the device that was used lately', async () => {
    await send(report('INSTALLED'));
    await send(report('VERIFIED', { canary: await proof() }));
    const other = await enrolled('gw-2');
    const foreign = migrated({ sign: sm3Fingerprint(other.sign), enc: sm3Fingerprint(other.enc) });
    await refusal('E_STATE', () => send(report('MIGRATED', { certificates: foreign })));
    const twice = migrated({ enc: sm3Fingerprint(gateway.sign) });
    await refusal('E_STATE', () => send(report('MIGRATED', { certificates: twice })));
    const old = migrated({ usedAt: signedTime(new Date(test().clock.now().getTime() - 15 * 86_400_000)) });
    await refusal('E_STATE', () => send(report('MIGRATED', { certificates: old })));
    expect(await level()).to.equal('VERIFIED');
  });

  it('count once when the answer was lost, and are refused when anybody else sends them', async () => {
    const first = await send(report('FETCHED'));
    const again = await send(report('FETCHED'));
    expect(again.id).to.equal(first.id);
    test().clock.advance(601);
    const later = await send(report('FETCHED'));
    expect(later.id).to.not.equal(first.id);
    const person = service().client(test().people.raOne);
    await refusal('E_FORBIDDEN', () => person.json('POST', REPORT_PATH, report('FETCHED')));
    const unsigned = createClient({ baseUrl: service().url });
    await refusal('E_UNAUTHENTICATED', () => unsigned.json('POST', REPORT_PATH, report('FETCHED')));
    // Without a nonce of the service a recorded request could be sent again.
    const answer = await service().call(
      { engine: test().instance.engine, key: gateway.key, certificate: gateway.sign },
      'POST',
      REPORT_PATH,
      report('FETCHED'),
    );
    expect(answer.status).to.equal(401);
  });

  it('are never changed or deleted', async () => {
    await send(report('FETCHED'));
    for (const sql of ["update device_reports set level = 'MIGRATED'", 'delete from device_reports']) {
      let refused = false;
      await fixture.sql(sql).catch(() => (refused = true));
      expect(refused, sql).to.equal(true);
    }
  });
});
