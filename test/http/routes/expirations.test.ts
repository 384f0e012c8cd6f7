import { expect } from 'chai';
import { enrolDevice } from '../../../src/flows/enrolments/enrol-device.ts';
import { readyDevice } from '../../fixtures/enrolling.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { LiveService } from '../live-service.ts';

forEachDatabase('what ends soon, over HTTP', (fixture) => {
  const test = testInstance(fixture);
  let service: LiveService;
  beforeEach(async () => void (service = await LiveService.start(test())));
  afterEach(() => service.close());

  it('stands in the figures, and each is told what is its own', async () => {
    const { instance, people } = test();
    const gateways: { key: Awaited<ReturnType<typeof readyDevice>>['key']; certificate: Buffer }[] = [];
    for (const id of ['gw-1', 'gw-2']) {
      const ready = await readyDevice(test(), id);
      const outcome = await enrolDevice(instance, ready.input);
      if (outcome.state !== 'ISSUED') throw new Error(outcome.state);
      gateways.push({ key: ready.key, certificate: outcome.answer.signCertificate });
    }
    const soon = new Date(Date.now() + 864_000_000).toISOString();
    const [event] = await fixture.sql('select id from audit_event order by id desc limit 1');
    await fixture.sql("update certificates set not_after = ?, last_audit_event = ? where device_id = 'gw-1'", [
      soon,
      String(event?.['id']),
    ]);
    const { items } = (await service.client(people.auditor).json('GET', '/api/v1/expirations')) as {
      items: { kind: string; name: string; endsAt: string }[];
    };
    expect(items.map(({ kind, name }) => [kind, name])).to.deep.equal([
      ['device-certificate', 'gw-1'],
      ['device-certificate', 'gw-1'],
    ]);
    expect(items[0]?.endsAt).to.equal(`${soon.slice(0, 19)}Z`);
    const own = '/api/v1/devices/self/expirations';
    for (const [index, expected] of [2, 0].entries()) {
      const gateway = gateways[index];
      if (gateway === undefined) throw new Error('no gateway');
      const { status, json } = await service.call({ engine: instance.engine, ...gateway }, 'GET', own);
      expect(status).to.equal(200);
      expect(json['items']).to.have.length(expected);
    }
    expect((await fetch(`${service.url}/api/v1/expirations`)).status).to.equal(401);
    const text = await (await fetch(`${service.url}/metrics`)).text();
    expect(text).to.contain('kmc_expiring{kind="device-certificate"} 2').and.to.contain('kmc_expiring{kind="crl"} 0');
    const seconds = Number(text.match(/kmc_first_end_seconds\{kind="device-certificate"\} ([0-9.]+)/)?.[1]);
    expect(seconds).to.be.within(800_000, 864_000);
    expect(text).not.to.contain('kmc_first_end_seconds{kind="crl"}');
  });
});
