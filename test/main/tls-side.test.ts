import { once } from 'node:events';
import { connect } from 'node:tls';
import { expect } from 'chai';
import { createServiceAuthority } from '../../src/flows/authorities/create-service-authority.ts';
import type { Listener } from '../../src/http/server.ts';
import { createApplication, listen } from '../../src/http/server.ts';
import { TlsSide } from '../../src/main/tls-side.ts';
import { encodeName } from '../../src/x509/name.ts';
import { SYSTEM, testInstance } from '../fixtures/instance.ts';
import { refusal } from '../crypto/refusal.ts';
import { httpPortsOf } from '../http/live-service.ts';
import { forEachDatabase } from '../store/databases.ts';

forEachDatabase('HTTPS of the service', (fixture) => {
  const test = testInstance(fixture);
  let side: TlsSide;
  let listener: Listener | undefined;

  beforeEach(() => {
    const { instance } = test();
    side = new TlsSide(instance, ['127.0.0.1', 'localhost', 'kmc.example.cn', 'localhost'], async (identity) => {
      const application = createApplication([], httpPortsOf(instance), 'tls');
      return (listener = await listen(application, { host: '127.0.0.1', port: 0 }, identity));
    });
  });
  afterEach(() => side.close());

  async function transportCa(): Promise<void> {
    const subject = encodeName([{ type: 'CN', value: 'Transport CA' }]);
    await createServiceAuthority(test().instance, SYSTEM, { id: 'transport-ca', kind: 'transport', subject });
  }

  async function open(): Promise<ReturnType<typeof connect>> {
    const { port } = new URL(listener?.url ?? '');
    const socket = connect({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    return socket;
  }

  it('takes a new certificate at half of its life, without a restart; open connections go on', async () => {
    await transportCa();
    await side.refresh();
    const first = await open();
    const before = first.getPeerCertificate();
    expect(before.subjectaltname).to.equal('IP Address:127.0.0.1, DNS:localhost, DNS:kmc.example.cn');
    await side.refresh();
    const same = await open();
    expect(same.getPeerCertificate().serialNumber).to.equal(before.serialNumber);
    test().clock.advance(183 * 86_400);
    await side.refresh();
    const renewed = await open();
    expect(renewed.getPeerCertificate().serialNumber).to.not.equal(before.serialNumber);
    expect(first.destroyed).to.equal(false);
    first.write('GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    const [answer] = (await once(first, 'data')) as [Buffer];
    expect(answer.toString()).to.match(/^HTTP\/1\.1 404 /);
    for (const socket of [first, same, renewed]) socket.destroy();
  });

  it('waits half a minute after a failure, and starts by itself once there is a transport CA', async () => {
    await refusal('E_NOT_FOUND', () => side.refresh());
    await transportCa();
    await side.refresh();
    expect(side.url).to.equal(undefined);
    test().clock.advance(31);
    await side.refresh();
    expect(side.url).to.match(/^https:/);
  });

  it('does nothing while the keystore is sealed', async () => {
    await transportCa();
    test().instance.keystore.seal();
    await side.refresh();
    expect(side.url).to.equal(undefined);
  });
});
