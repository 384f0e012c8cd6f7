import { expect } from 'chai';
import { macOf, registrationOf, requestFor } from '../../fixtures/enrolling.ts';
import type { CastName } from '../../fixtures/estate.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { handSigner, liveService, send, type Answer } from '../live-service.ts';

forEachDatabase('the routes of devices and enrolments', (fixture) => {
  const test = testInstance(fixture);
  const service = liveService(test);

  function call(name: CastName, method: 'GET' | 'POST', target: string, body?: unknown): Promise<Answer> {
    const signer = handSigner(test().instance.engine, test().people[name]);
    return service().call(signer, method, target, body);
  }

  function enrol(body: unknown): Promise<Answer> {
    const headers = { 'content-type': 'application/json' };
    return send(service().url, 'POST', '/api/v1/enrolments', Buffer.from(JSON.stringify(body)), headers);
  }

  const registration = (id: string): object => ({ ...registrationOf(id), region: '110000' });

  it('lead from registration over the token to the same answer twice', async () => {
    const { instance, people, database } = test();
    const { engine } = instance;
    const made = await call('raOne', 'POST', '/api/v1/devices', registration('gw-1'));
    expect(made.status).to.equal(201);
    expect(made.headers['location']).to.equal('/api/v1/devices/gw-1');
    const given = await call('raTwo', 'POST', '/api/v1/devices/gw-1/tokens', { delivery: 'in-person' });
    expect(given.status).to.equal(201);
    const { ciphertext } = given.json['token'] as { ciphertext: string };
    const secret = await engine.decryptSecret(people.raTwo.key, Buffer.from(ciphertext, 'base64'));
    const token = await engine.releaseToken(secret);
    expect(given.text).not.to.include(token.toString('latin1'));
    const device = (await database.read((reader) => reader.devices.find('gw-1')))!;
    const csr = await requestFor(engine, device, await engine.generateKeyPair('SM2'));
    const body = { deviceId: 'gw-1', csr: csr.toString('base64'), tokenMac: macOf(token, csr).toString('hex') };
    const first = await enrol(body);
    expect(first.status).to.equal(200);
    expect(Object.keys(first.json)).to.deep.equal([
      'signCertificate',
      'encCertificate',
      'envelopedKey',
      'envelope',
      'csrResponse',
      'chain',
      'bundleVersion',
    ]);
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${csr.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE REQUEST-----\n`;
    for (const again of [body, { ...body, csr: pem }]) expect((await enrol(again)).text).to.equal(first.text);
    const seen = await call('raOne', 'GET', '/api/v1/devices/gw-1');
    expect(seen.json['status']).to.equal('in-service');
    expect(seen.json['certificates']).to.have.length(2);
    const listed = await call('auditor', 'GET', '/api/v1/enrolments?device=gw-1');
    expect(listed.json['items']).to.have.length(1);
    expect(listed.text).not.to.include('envelopedKey');
    expect(service().faults).to.deep.equal([]);
  });

  it('answer 202 with Retry-After while an approval is open', async () => {
    const { instance, people, database } = test();
    const { engine } = instance;
    const hub = { ...registration('hub-1'), profile: 'hub-gateway' };
    const made = await call('raOne', 'POST', '/api/v1/devices', hub);
    expect(made.json['approvalRequest']).to.match(/^rq-/);
    const given = await call('raTwo', 'POST', '/api/v1/devices/hub-1/tokens', {});
    const { ciphertext } = given.json['token'] as { ciphertext: string };
    const secret = await engine.decryptSecret(people.raTwo.key, Buffer.from(ciphertext, 'base64'));
    const token = await engine.releaseToken(secret);
    const device = (await database.read((reader) => reader.devices.find('hub-1')))!;
    const csr = await requestFor(engine, device, await engine.generateKeyPair('SM2'));
    const body = { deviceId: 'hub-1', csr: csr.toString('base64'), tokenMac: macOf(token, csr).toString('hex') };
    const answer = await enrol(body);
    expect([answer.status, answer.headers['retry-after']]).to.deep.equal([202, '300']);
    expect(answer.json['state']).to.equal('PENDING');
  });

  it('tell other regions, strangers and wrong bodies nothing', async () => {
    await call('raOne', 'POST', '/api/v1/devices', registration('gw-1'));
    const absent = await call('raElsewhere', 'GET', '/api/v1/devices/gw-none');
    const foreign = await call('raElsewhere', 'GET', '/api/v1/devices/gw-1');
    expect([absent.status, foreign.status]).to.deep.equal([404, 404]);
    expect(foreign.json['detail']).to.equal(absent.json['detail']);
    const own = await call('raOne', 'POST', '/api/v1/devices/gw-1/tokens', {});
    expect([own.status, own.json['code']]).to.deep.equal([403, 'E_SAME_PERSON']);
    const role = await call('caOperatorOne', 'POST', '/api/v1/devices', registration('gw-2'));
    expect(role.status).to.equal(403);
    const unsigned = await send(service().url, 'GET', '/api/v1/devices');
    expect(unsigned.status).to.equal(401);
    const clear = await enrol({ deviceId: 'gw-1', csr: 'AAAA', token: 'A'.repeat(32) });
    expect([clear.status, clear.json['code']]).to.deep.equal([400, 'E_SCHEMA']);
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${'A'.repeat(32)}` };
    const bearer = Buffer.from(JSON.stringify({ deviceId: 'gw-1', csr: 'MAAA' }));
    const answer = await send(service().url, 'POST', '/api/v1/enrolments', bearer, headers);
    expect(answer.status).to.equal(400);
    const csr = Buffer.from('3003020100', 'hex').toString('base64');
    const bad = await enrol({ deviceId: 'gw-1', csr, tokenMac: '00'.repeat(32) });
    expect([bad.status, bad.json['code']]).to.deep.equal([400, 'E_DER']);
  });
});
