import { expect } from 'chai';
import { checkConfidential } from '../../../src/http/identify.ts';
import type { Exchange } from '../../../src/http/exchange.ts';
import {
  decided,
  grant,
  managedKey,
  registeredApplication,
  type RegisteredApplication,
} from '../../fixtures/applications.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { refusal } from '../../crypto/refusal.ts';
import { liveService, type Answer, type Hand, type HandSigner } from '../live-service.ts';

const PLAINTEXT = Buffer.from('what an application protects').toString('base64');

interface Page {
  readonly items: readonly Record<string, unknown>[];
}

forEachDatabase('the data-encryption service over HTTP', (fixture) => {
  const test = testInstance(fixture);
  const live = liveService(test, { tls: true });
  let application: RegisteredApplication;
  let signer: HandSigner;
  let key: string;
  beforeEach(async () => {
    application = await registeredApplication(test());
    signer = { engine: test().instance.engine, key: application.key, certificate: application.certificate };
    const made = await managedKey(test());
    key = made.id;
    await grant(test(), application, made, 'encrypt', 'decrypt', 'rewrap', 'data-key');
  });

  function call(operation: string, body: object, hand: Hand = {}): Promise<Answer> {
    return live().call(signer, 'POST', `/api/v1/crypto/${operation}`, { key, ...body }, hand);
  }

  async function codeOf(operation: string, body: object): Promise<[number, unknown]> {
    const { status, json } = await call(operation, body);
    return [status, json['code']];
  }

  it('encrypts, decrypts and rewraps, one item or a batch, for an application that signs its requests', async () => {
    const context = { record: '7' };
    const one = await call('encrypt', { plaintext: PLAINTEXT, context });
    expect(one.status).to.equal(200);
    expect(one.json).to.have.all.keys('key', 'version', 'ciphertext');
    const { ciphertext } = one.json;
    expect((await call('decrypt', { ciphertext, context })).json).to.deep.equal({
      key,
      version: '1',
      plaintext: PLAINTEXT,
    });
    const rewrapped = await call('rewrap', { ciphertext, context, newContext: { record: '8' } });
    const moved = { ciphertext: rewrapped.json['ciphertext'], context: { record: '8' } };
    const items = [moved, { ciphertext, context }, { ciphertext, context: {} }];
    const batch = (await call('decrypt', { items })).json as unknown as Page;
    expect(batch.items).to.deep.equal([
      { version: '1', plaintext: PLAINTEXT },
      { version: '1', plaintext: PLAINTEXT },
      { code: 'E_DECRYPT' },
    ]);
    const empty = await call('encrypt', { plaintext: '' });
    expect((await call('decrypt', { ciphertext: empty.json['ciphertext'] })).json['plaintext']).to.equal('');
  });

  it('gives data keys and takes them back', async () => {
    const made = await call('data-key', { form: 'plain' });
    const back = await call('decrypt', { ciphertext: made.json['wrapped'] });
    expect(back.json['plaintext']).to.equal(made.json['plain']);
    const batch = (await call('data-key', { form: 'wrapped', items: [{}, { context: { a: 'b' } }] }))
      .json as unknown as Page;
    expect(batch.items.map((item) => Object.keys(item))).to.deep.equal([['wrapped'], ['wrapped']]);
    expect(await codeOf('data-key', { form: 'device' })).to.deep.equal([400, 'E_SCHEMA']);
    expect(await codeOf('data-key', { form: 'plain', device: 'gw-1' })).to.deep.equal([400, 'E_SCHEMA']);
    expect(await codeOf('data-key', { form: 'device', device: 'gw-9' })).to.deep.equal([404, 'E_NOT_FOUND']);
  });

  it('signs, computes and verifies', async () => {
    for (const [kind, make, member] of [
      ['sm2-sign', 'sign', 'signature'],
      ['hmac-sm3', 'mac', 'mac'],
    ] as const) {
      const made = await managedKey(test(), { kind });
      await grant(test(), application, made, make, 'verify');
      key = made.id;
      const proof = (await call(make, { message: PLAINTEXT })).json[member];
      const good = await call('verify', { message: PLAINTEXT, [member]: proof });
      expect(good.json, kind).to.deep.equal({ key, valid: true });
      const items = [
        { message: '', [member]: proof },
        { message: PLAINTEXT, [member]: proof, version: '1' },
      ];
      const verdicts = (await call('verify', { items })).json as unknown as Page;
      expect(verdicts.items).to.deep.equal([{ valid: false }, { valid: true }]);
      expect(await codeOf('verify', { message: PLAINTEXT })).to.deep.equal([400, 'E_SCHEMA']);
    }
  });

  it('answers one code to every bad ciphertext, and the same to a key that is not there and one without a grant', async () => {
    const { ciphertext } = (await call('encrypt', { plaintext: PLAINTEXT })).json;
    const torn = Buffer.from(String(ciphertext), 'base64');
    torn[torn.length - 1]! ^= 1;
    const problems = [
      await call('decrypt', { ciphertext: torn.toString('base64') }),
      await call('decrypt', { ciphertext, context: { a: 'b' } }),
      await call('decrypt', { ciphertext: PLAINTEXT }),
    ];
    expect(
      new Set(problems.map(({ status, json }) => `${status} ${String(json['code'])} ${String(json['detail'])}`)).size,
    ).to.equal(1);
    expect(problems[0]?.json['code']).to.equal('E_DECRYPT');
    const other = await managedKey(test());
    const unknown = [
      await call('encrypt', { key: other.id, plaintext: '' }),
      await call('encrypt', { key: 'mk-none', plaintext: '' }),
    ];
    const seen = unknown.map(({ status, json }) => ({ status, problem: { ...json, requestId: '' } }));
    expect(seen[0]).to.deep.equal(seen[1]);
    expect(seen[0]?.status).to.equal(404);
    expect(await codeOf('mac', { message: '' })).to.deep.equal([403, 'E_FORBIDDEN']);
  });

  it('refuses what is too large, too many, or of another form, and uses nothing for it', async () => {
    const large = Buffer.alloc(64 * 1024 + 1).toString('base64');
    const many = Array.from({ length: 101 }, () => ({ plaintext: '' }));
    for (const body of [
      { plaintext: large },
      { items: many },
      { items: [] },
      { plaintext: 'a' },
      { plaintext: '', items: [{ plaintext: '' }] },
      { plaintext: '', context: { a: 1 } },
      { plaintext: '', context: { 'a b': 'c' } },
      { plaintext: '', other: 'x' },
      {},
    ]) {
      expect(await codeOf('encrypt', body), JSON.stringify(body).slice(0, 60)).to.deep.equal([400, 'E_SCHEMA']);
    }
    const most = await call('encrypt', { plaintext: Buffer.alloc(64 * 1024).toString('base64') });
    expect((await call('decrypt', { ciphertext: most.json['ciphertext'] })).status).to.equal(200);
  });

  it('makes every call anew, whatever Idempotency-Key says, and stores no answer', async () => {
    const headers = { 'idempotency-key': 'the-same-key-again' };
    const [one, two] = [
      await call('encrypt', { plaintext: PLAINTEXT }, { headers }),
      await call('encrypt', { plaintext: PLAINTEXT }, { headers }),
    ];
    expect(one.status).to.equal(200);
    expect(two.json['ciphertext']).to.not.equal(one.json['ciphertext']);
    const ciphertext = one.json['ciphertext'];
    expect((await call('decrypt', { ciphertext }, { headers })).json['plaintext']).to.equal(PLAINTEXT);
    expect(await fixture.sql('select * from idempotency')).to.deep.equal([]);
  });

  it('is for applications in service alone, by certificates in force', async () => {
    const body = { plaintext: PLAINTEXT };
    const person = test().people.caOperatorOne;
    const asPerson = { engine: signer.engine, key: person.key, certificate: person.certificate.der };
    const refused = await live().call(asPerson, 'POST', '/api/v1/crypto/encrypt', { key, ...body });
    expect([refused.status, refused.json['code']]).to.deep.equal([403, 'E_FORBIDDEN']);
    expect((await live().call(signer, 'GET', '/api/v1/keys')).status).to.equal(403);
    expect((await call('encrypt', body, { broken: true })).status).to.equal(401);
    await decided(test(), 'application.suspend', 'app-1');
    expect((await call('encrypt', body)).status).to.equal(401);
    await decided(test(), 'application.resume', 'app-1');
    expect((await call('encrypt', body)).status).to.equal(200);
    const nonce = 'n'.repeat(24);
    expect((await call('encrypt', body, { nonce })).status).to.equal(200);
    expect((await call('encrypt', body, { nonce })).status).to.equal(401);
    await live()
      .client(person)
      .json('POST', `/api/v1/certificates/${application.certificateId}/revocations`, { reason: 'keyCompromise' });
    expect((await call('encrypt', body)).status).to.equal(401);
  });

  it('carries nothing over plain HTTP from another machine', async () => {
    const exchange = (source: string, isPrivate: boolean): Exchange =>
      ({ source, channel: { isPrivate } }) as unknown as Exchange;
    const route = { confidential: true };
    await refusal('E_FORBIDDEN', () => checkConfidential(route, exchange('192.0.2.7', false)));
    checkConfidential(route, exchange('192.0.2.7', true));
    checkConfidential(route, exchange('127.0.0.1', false));
    checkConfidential({}, exchange('192.0.2.7', false));
  });

  it('shows people keys, versions, applications and grants, and lets them make, rotate and import keys', async () => {
    const client = live().client(test().people.caOperatorOne);
    const made = (await client.json('POST', '/api/v1/keys', {
      name: 'Seal',
      kind: 'sm2-sign',
      useLimit: '5',
    })) as Record<string, unknown>;
    expect(made).to.include({
      kind: 'sm2-sign',
      usage: 'managed',
      state: 'active',
      currentVersion: '1',
      useLimit: '5',
    });
    const id = String(made['id']);
    const rotated = (await client.json('POST', `/api/v1/keys/${id}/rotations`, { reason: 'a test' })) as Record<
      string,
      unknown
    >;
    expect(rotated).to.include({ currentVersion: '2' });
    expect(await client.json('GET', `/api/v1/keys/${id}-v1`)).to.include({ state: 'deactivated', reason: 'rotated' });
    const listed = (await client.json('GET', '/api/v1/keys?kind=managed')) as Page;
    expect(listed.items.map((item) => item['id'])).to.have.members([key, id]);
    const archived = await client.json('POST', `/api/v1/keys/${id}/archive`, { reason: 'a test' });
    expect(archived).to.include({ state: 'deactivated', id });
    const shown = (await client.json('GET', `/api/v1/keys/${key}`)) as { grants: unknown };
    const operations = ['encrypt', 'decrypt', 'rewrap', 'data-key'];
    expect(shown.grants).to.deep.equal([{ application: 'app-1', operations }]);
    const app = (await client.json('GET', '/api/v1/applications/app-1')) as Record<string, unknown>;
    expect(app).to.include({ status: 'in-service', organisation: 'Government Extranet' });
    expect(app['certificates']).to.deep.equal([application.certificateId]);
    const all = (await client.json('GET', '/api/v1/applications')) as Page;
    expect(all.items).to.have.length(1);
    const bad = { name: 'x', kind: 'sm2-sign', exportable: true };
    await client.json('POST', '/api/v1/keys', bad).then(
      () => expect.fail('a signing key may not be exportable'),
      (error: unknown) => expect(error).to.include({ code: 'E_POLICY' }),
    );
  });
});
