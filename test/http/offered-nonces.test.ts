import { expect } from 'chai';
import { signatureKeyId } from '../../src/domain/http-signature.ts';
import { createClient } from '../../src/agent/signed-client.ts';
import { enrolDevice } from '../../src/flows/enrolments/enrol-device.ts';
import { readyDevice, requestFor, type ReadyDevice } from '../fixtures/enrolling.ts';
import { testInstance } from '../fixtures/instance.ts';
import { forEachDatabase } from '../store/databases.ts';
import { liveService, send, type Answer, type Hand, type HandSigner } from './live-service.ts';

const RENEWALS = '/api/v1/devices/self/renewals';

forEachDatabase('calls that take a nonce of the service', (fixture) => {
  const test = testInstance(fixture);
  const live = liveService(test);

  interface InService extends ReadyDevice {
    readonly signer: HandSigner;
    readonly body: { readonly csr: string };
  }

  async function inService(id: string): Promise<InService> {
    const { instance } = test();
    const ready = await readyDevice(test(), id);
    const outcome = await enrolDevice(instance, ready.input);
    if (outcome.state !== 'ISSUED') throw new Error(`it is ${outcome.state}`);
    const { engine } = instance;
    const signer = { engine, key: ready.key, certificate: outcome.answer.signCertificate };
    const csr = await requestFor(engine, ready.device, await engine.generateKeyPair('SM2'));
    return { ...ready, signer, body: { csr: csr.toString('base64') } };
  }

  async function challenge(certificate: Buffer): Promise<string> {
    const body = Buffer.from(JSON.stringify({ keyid: signatureKeyId(certificate) }));
    const headers = { 'content-type': 'application/json' };
    const answer = await send(live().url, 'POST', '/api/v1/auth/challenges', body, headers);
    expect(answer.status, answer.text).to.equal(201);
    return String(answer.json['nonce']);
  }

  const renew = ({ signer, body }: InService, hand: Hand = {}): Promise<Answer> =>
    live().call(signer, 'POST', RENEWALS, body, hand);
  const offeredBy = ({ headers }: Answer): string =>
    /;nonce="([A-Za-z0-9_-]{32})";/.exec(String(headers['accept-signature']))?.[1] ?? '';

  it('refuse a nonce that the caller made, offer one with that, and take it once', async () => {
    const device = await inService('gw-1');
    const refused = await renew(device);
    expect(refused.status).to.equal(401);
    const nonce = offeredBy(refused);
    expect((await renew(device, { nonce, broken: true })).status).to.equal(401);
    expect((await renew(device, { nonce })).status).to.equal(200);
    expect((await renew(device, { nonce })).status).to.equal(401);
    // The same key gets the same pair again, under another nonce.
    expect((await renew(device, { nonce: await challenge(device.signer.certificate) })).status).to.equal(200);
    const rows = await test().database.read((reader) => reader.certificates.list({ deviceId: 'gw-1' }, { limit: 9 }));
    expect(rows).to.have.length(4);
  });

  it('refuse a nonce that was offered to another key, and one that is over', async () => {
    const [one, two] = [await inService('gw-1'), await inService('gw-2')];
    const nonce = await challenge(one.signer.certificate);
    expect((await renew(two, { nonce })).status).to.equal(401);
    test().clock.advance(301);
    expect((await renew(one, { nonce })).status).to.equal(401);
  });

  it('let one of eight copies through', async () => {
    const device = await inService('gw-1');
    const hand = { nonce: await challenge(device.signer.certificate), created: Math.floor(Date.now() / 1000) };
    const answers = await Promise.all(Array.from({ length: 8 }, () => renew(device, hand)));
    expect(answers.filter(({ status }) => status === 200)).to.have.length(1);
  });

  it('answer a challenge for a key that nobody has alike, and keep nothing', async () => {
    expect(await challenge(Buffer.from('nobody'))).to.match(/^[A-Za-z0-9_-]{32}$/);
    expect(await fixture.sql('select count(*) as n from offered_nonces')).to.satisfy(
      (rows: readonly Record<string, unknown>[]) => Number(rows[0]?.['n']) === 0,
    );
    const unsigned = await send(live().url, 'POST', RENEWALS, Buffer.from('{}'), {
      'content-type': 'application/json',
    });
    expect(unsigned.headers['accept-signature']).to.include(';nonce;');
  });

  it('are made by the client of this product without further ado, with a clock that is an hour off too', async () => {
    const device = await inService('gw-1');
    const client = createClient({ baseUrl: live().url, signer: device.signer });
    const answer = await client.json('POST', RENEWALS, device.body);
    expect(answer).to.have.property('csrResponse');
    const skewed = createClient({ baseUrl: live().url, signer: device.signer, clock: () => Date.now() - 3_600_000 });
    expect(await skewed.json('POST', RENEWALS, device.body)).to.deep.equal(answer);
  });
});
