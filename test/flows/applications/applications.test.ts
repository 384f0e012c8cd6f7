import { expect } from 'chai';
import { actionHandlers } from '../../../src/flows/action-handlers.ts';
import { executeRequest } from '../../../src/flows/approvals/execute-request.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import { approve, ask } from '../../fixtures/approvals.ts';
import { decided, grant, managedKey, NAMES, registeredApplication, requestOver } from '../../fixtures/applications.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { refusal } from '../../store/race.ts';

forEachDatabase('an application', (fixture) => {
  const test = testInstance(fixture);

  async function acts(id: string): Promise<string[]> {
    return (await test().history('application', id)).map(({ act }) => act);
  }

  async function csr(): Promise<string> {
    const { engine } = test().instance;
    return (await requestOver(engine, await engine.generateKeyPair('SM2'))).toString('base64');
  }

  it('is registered by people, with a certificate that bears the names they approved', async () => {
    const { certificate, key } = await registeredApplication(test());
    const { subject, spki, keyUsage, extensions } = parseCertificate(certificate);
    expect(subject.text).to.include('CN=Tax records').and.to.include('app-1');
    expect(spki.equals(key.spki)).to.equal(true);
    expect(keyUsage).to.deep.equal(['digitalSignature', 'nonRepudiation']);
    expect(extensions.length).to.be.greaterThan(3);
    const row = await test().database.read((reader) => reader.applications.find('app-1'));
    expect(row).to.include({ ...NAMES, status: 'in-service', version: 1 });
    expect(await acts('app-1')).to.deep.equal(['application.register']);
    const [event] = await test().history('application', 'app-1');
    expect(event?.appr?.length).to.equal(2);
  });

  it('needs two people of distinct roles, and a request that its own key signed', async () => {
    const { instance, people } = test();
    const handlers = actionHandlers(instance);
    const params = { ...NAMES, csr: await csr() };
    const asked = { op: 'application.register', targetId: 'app-1', params } as const;
    const created = await ask(test(), handlers, asked, people.caOperatorOne.caller);
    await approve(test(), created, [people.securityOne]);
    const input = { requestId: created.request.id, source: { node: 'node-1' } };
    await refusal('E_QUORUM', executeRequest({ ...instance, handlers }, input, people.caOperatorOne.caller));
    const torn = Buffer.from(params.csr, 'base64');
    torn[torn.length - 1]! ^= 1;
    const bad = { ...params, csr: torn.toString('base64') };
    await refusal('E_POP', decided(test(), 'application.register', 'app-2', bad));
    await refusal('E_SCHEMA', decided(test(), 'application.register', 'app-2', { ...NAMES, csr: 'AA' }));
    await refusal('E_SCHEMA', decided(test(), 'application.register', 'app-2', { name: 'x', csr: params.csr }));
    await refusal('E_NOT_FOUND', decided(test(), 'application.register', 'app-2', { csr: params.csr }));
    expect(await test().database.read((reader) => reader.applications.find('app-2'))).to.equal(undefined);
  });

  it('gets a certificate over a further key, and never a second one over a key that is certified', async () => {
    const first = await registeredApplication(test());
    const { certificate } = await decided(test(), 'application.register', 'app-1', { csr: await csr() });
    expect(parseCertificate(Buffer.from(String(certificate), 'base64')).subject.text).to.include('CN=Tax records');
    const again = (await requestOver(test().instance.engine, first.key)).toString('base64');
    await refusal('E_KEY_BLOCKED', decided(test(), 'application.register', 'app-1', { csr: again }));
    await refusal('E_CONFLICT', decided(test(), 'application.register', 'app-1', { ...NAMES, csr: await csr() }));
    expect(await acts('app-1')).to.deep.equal(['application.register', 'application.certify']);
    const ids = await test().database.read((reader) => reader.applications.certificatesOf('app-1'));
    expect(ids).to.have.length(2);
  });

  it('is suspended, resumed and ended; its end revokes its certificates and is for good', async () => {
    const { certificateId } = await registeredApplication(test());
    expect(await decided(test(), 'application.suspend', 'app-1')).to.include({ status: 'suspended' });
    await refusal('E_STATE', decided(test(), 'application.suspend', 'app-1'));
    expect(await decided(test(), 'application.resume', 'app-1')).to.include({ status: 'in-service' });
    expect(await decided(test(), 'application.end', 'app-1')).to.include({ status: 'ended', revoked: '1' });
    const row = await test().database.read((reader) => reader.certificates.find(certificateId));
    expect(row).to.include({ status: 'revoked', reason: 'cessationOfOperation' });
    for (const act of ['application.resume', 'application.suspend', 'application.end'] as const)
      await refusal('E_STATE', decided(test(), act, 'app-1'));
    await refusal('E_STATE', decided(test(), 'application.register', 'app-1', { csr: await csr() }));
  });

  it('has what was granted and not withdrawn, for operations that keys of the kind do', async () => {
    const application = await registeredApplication(test());
    const key = await managedKey(test());
    await grant(test(), application, key, 'decrypt', 'encrypt');
    await grant(test(), application, key, 'rewrap');
    const params = { key: key.id, operations: ['decrypt'] };
    expect(await decided(test(), 'application.withdraw-grant', 'app-1', params)).to.deep.include({
      operations: ['encrypt', 'rewrap'],
    });
    await refusal('E_STATE', decided(test(), 'application.withdraw-grant', 'app-1', params));
    await refusal('E_STATE', decided(test(), 'application.grant', 'app-1', { ...params, operations: ['encrypt'] }));
    await refusal('E_USAGE', decided(test(), 'application.grant', 'app-1', { ...params, operations: ['sign'] }));
    await refusal('E_SCHEMA', decided(test(), 'application.grant', 'app-1', { ...params, operations: ['export'] }));
    await refusal('E_NOT_FOUND', decided(test(), 'application.grant', 'app-1', { ...params, key: 'mk-none' }));
    await refusal('E_NOT_FOUND', decided(test(), 'application.grant', 'app-9', params));
    const granted = await test().database.read((reader) => reader.applications.grantsOf('app-1'));
    expect(granted.map(({ keyId, operations }) => [keyId, operations])).to.deep.equal([
      [key.id, ['encrypt', 'rewrap']],
    ]);
    expect((await acts('app-1')).slice(1)).to.deep.equal([
      'application.grant',
      'application.grant',
      'application.withdraw-grant',
    ]);
  });

  it('of two grants at the same time loses none: the second is made anew', async () => {
    const application = await registeredApplication(test());
    const key = await managedKey(test());
    const results = await Promise.allSettled([
      grant(test(), application, key, 'encrypt'),
      grant(test(), application, key, 'decrypt'),
    ]);
    const done = results.filter(({ status }) => status === 'fulfilled').length;
    const granted = await test().database.read((reader) => reader.applications.grant('app-1', key.id));
    expect(granted?.operations.length).to.equal(done);
    expect(done).to.be.greaterThan(0);
  });
});
