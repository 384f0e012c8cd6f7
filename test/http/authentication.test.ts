import { expect } from 'chai';
import { z } from 'zod';
import { KEY_ALGORITHMS, type KeyAlgorithmName } from '../../src/crypto/algorithms.ts';
import { createDigests } from '../../src/crypto/digests.ts';
import { spkiSm3 } from '../../src/crypto/spki.ts';
import { newId } from '../../src/domain/id.ts';
import type { DeviceStatus } from '../../src/flows/ports/devices.ts';
import { route } from '../../src/http/route.ts';
import { assembleCertificate, encodeTbsCertificate } from '../../src/x509/certificate.ts';
import { extensionOf } from '../../src/x509/extensions.ts';
import { keyUsage, type KeyUsageName } from '../../src/x509/extensions/key-usage.ts';
import { encodeName } from '../../src/x509/name.ts';
import { testInstance, type TestInstance } from '../fixtures/instance.ts';
import { forEachDatabase } from '../store/databases.ts';
import { certificate, device } from '../store/rows.ts';
import { handSigner, liveService, send, type Answer, type Hand, type HandSigner } from './live-service.ts';

const REPORT = '/api/v1/test/reports';
const ROUTES = [
  route({
    operationId: 'testReport',
    method: 'post',
    path: REPORT,
    tag: 'test',
    summary: 'for devices',
    access: { devices: true },
    query: z.looseObject({}),
    body: z.strictObject({ state: z.string() }),
    answers: {},
    handle: ({ caller }) => Promise.resolve({ status: 200, json: { caller } }),
  }),
];

interface DeviceOptions {
  readonly usages?: readonly KeyUsageName[];
  readonly status?: DeviceStatus;
  readonly certificateStatus?: 'good' | 'revoked' | 'on-hold';
  readonly notAfter?: Date;
}

/** A device with a certificate of that kind of key, in service. */
async function addDevice(
  { instance }: TestInstance,
  algorithm: KeyAlgorithmName,
  options: DeviceOptions = {},
): Promise<HandSigner> {
  const { engine, database, clock } = instance;
  const now = clock.now();
  const id = newId('gw');
  const key = await engine.generateKeyPair(algorithm, algorithm === 'RSA' ? 2048 : undefined);
  const name = encodeName([{ type: 'CN', value: id }]);
  const { notAfter = new Date(now.getTime() + 86_400_000), usages = ['digitalSignature'] } = options;
  const notBefore = new Date(now.getTime() - 86_400_000);
  const signature = KEY_ALGORITHMS[algorithm].defaultSignature;
  const tbs = encodeTbsCertificate({
    serialNumber: Buffer.from('0102030405060708', 'hex'),
    signatureAlgorithm: signature,
    issuer: name,
    subject: name,
    notBefore,
    notAfter,
    spki: key.spki,
    extensions: [extensionOf(keyUsage, usages)],
  });
  const der = assembleCertificate(tbs, signature, await engine.sign(key, signature, tbs));
  const digests = createDigests(der);
  const eventId = newId('ev');
  await database.transaction(async (tx) => {
    await tx.devices.insert(device(id, { status: options.status ?? 'in-service' }));
    await tx.audit.append(
      {
        id: eventId,
        action: 'certificate.import',
        outcome: 'success',
        subjects: [{ type: 'device', id }],
        actor: { type: 'system', id: 'kmc' },
        source: { node: 'node-1' },
        detail: {},
      },
      now,
    );
    await tx.certificates.insert(
      certificate(id, 'sm2-issuing', eventId, {
        deviceId: id,
        status: options.certificateStatus ?? 'good',
        ...(options.certificateStatus === undefined ? {} : { revokedAt: now, reason: 'certificateHold' }),
        certificate: der,
        certificateSm3: digests.sm3,
        certificateSha256: digests.sha256,
        spkiSm3: spkiSm3(key.spki),
        notBefore,
        notAfter,
      }),
    );
  });
  return { engine, key, certificate: der };
}

forEachDatabase('signed requests over HTTP', (fixture) => {
  const test = testInstance(fixture);
  const live = liveService(test, { routes: ROUTES });
  const report = (signer: HandSigner, hand: Hand = {}): Promise<Answer> =>
    live().call(signer, 'POST', REPORT, { state: 'INSTALLED' }, hand);

  for (const { algorithm, accepted } of [
    { algorithm: 'SM2', accepted: [['sm3', 'sm3']] },
    {
      algorithm: 'RSA',
      accepted: [
        ['sm3', 'sm3'],
        ['sm3', 'sha256'],
        ['sha-256', 'sm3'],
        ['sha-256', 'sha256'],
      ],
    },
    {
      algorithm: 'EC-P256',
      accepted: [
        ['sm3', 'sm3'],
        ['sha-256', 'sha256'],
      ],
    },
  ] as const) {
    it(`takes a device with an ${algorithm} key by ${accepted.length} combinations of digest and keyid`, async () => {
      const signer = await addDevice(test(), algorithm);
      for (const [digest, keyid] of accepted) {
        const answer = await report(signer, { digest, keyid });
        expect(answer.status, `${digest} ${keyid} ${answer.text}`).to.equal(200);
      }
    });
  }

  it('refuses an SM2 key with sha-256, in the digest or in the keyid', async () => {
    const signer = await addDevice(test(), 'SM2');
    const answers = [await report(signer, { digest: 'sha-256' }), await report(signer, { keyid: 'sha256' })];
    for (const { status, json } of answers) {
      expect([status, json['code']]).to.deep.equal([401, 'E_UNAUTHENTICATED']);
    }
  });

  it('takes a request signed less than two minutes ago or ahead, and refuses others with E_TIME', async () => {
    const signer = handSigner(test().instance.engine, test().people.auditor);
    const now = Math.floor(test().clock.now().getTime() / 1000);
    for (const [skew, status] of [
      [-118, 200],
      [119, 200],
      [-122, 401],
      [122, 401],
    ] as const) {
      const answer = await live().call(signer, 'GET', '/api/v1/keystore', undefined, { created: now + skew });
      expect(answer.status, `${skew} s`).to.equal(status);
      if (status === 401) expect(answer.json['code']).to.equal('E_TIME');
    }
  });

  it('burns a nonce by a valid signature and not by an invalid one', async () => {
    const signer = handSigner(test().instance.engine, test().people.auditor);
    const hand = { nonce: Buffer.alloc(18, 7).toString('base64url') };
    const statuses: number[] = [];
    for (const broken of [true, false, false]) {
      statuses.push((await live().call(signer, 'GET', '/api/v1/keystore', undefined, { ...hand, broken })).status);
    }
    expect(statuses).to.deep.equal([401, 200, 401]);
  });

  it('lets one of sixteen copies of a request through', async () => {
    const signer = handSigner(test().instance.engine, test().people.auditor);
    const hand = { nonce: Buffer.alloc(18, 9).toString('base64url'), created: Math.floor(Date.now() / 1000) };
    const answers = await Promise.all(
      Array.from({ length: 16 }, () => live().call(signer, 'GET', '/api/v1/keystore', undefined, hand)),
    );
    expect(answers.filter(({ status }) => status === 200)).to.have.length(1);
    expect(answers.filter(({ status }) => status === 401)).to.have.length(15);
  });

  it('refuses what was signed for another host, even with the Host field of that host', async () => {
    const signer = handSigner(test().instance.engine, test().people.auditor);
    const authority = 'other.example.gov.cn:8443';
    for (const headers of [{}, { host: authority }]) {
      const answer = await live().call(signer, 'GET', '/api/v1/keystore', undefined, { authority, headers });
      expect(answer.status).to.equal(401);
    }
  });

  it('refuses a Content-Type without a body', async () => {
    const signer = handSigner(test().instance.engine, test().people.auditor);
    const headers = { 'content-type': 'application/json' };
    const answer = await live().call(signer, 'GET', '/api/v1/keystore', undefined, { headers });
    expect([answer.status, answer.json['code']]).to.deep.equal([401, 'E_UNAUTHENTICATED']);
  });

  it('says what to sign in the 401 answer', async () => {
    const answer = await send(live().url, 'GET', '/api/v1/keystore');
    expect(answer.status).to.equal(401);
    expect(answer.headers['accept-signature']).to.match(/^gw=\("@method" "@authority" "@path" "@query"\);created;/);
  });

  it('answers the same to a stranger, a revoked, expired or encryption certificate, and a device out of service', async () => {
    const { engine } = test().instance;
    const stranger: HandSigner = { engine, key: await engine.generateKeyPair('SM2'), certificate: Buffer.from('der') };
    const refused = [
      stranger,
      await addDevice(test(), 'SM2', { certificateStatus: 'revoked' }),
      await addDevice(test(), 'SM2', { certificateStatus: 'on-hold' }),
      await addDevice(test(), 'SM2', { notAfter: new Date(test().clock.now().getTime() - 1000) }),
      await addDevice(test(), 'SM2', { usages: ['keyEncipherment'] }),
      await addDevice(test(), 'SM2', { status: 'suspended' }),
    ];
    const bodies: unknown[] = [];
    for (const signer of refused) {
      const { status, json } = await report(signer);
      bodies.push([status, json['code'], json['detail']]);
    }
    const text = 'the signing certificate is not registered, or not in force';
    expect(bodies).to.deep.equal(refused.map(() => [401, 'E_UNAUTHENTICATED', text]));
  });

  it('refuses a person on a route of devices and a device on a route of persons, each with an audit event', async () => {
    const person = test().people.auditor;
    const gateway = await addDevice(test(), 'SM2');
    const answers = [
      await report(handSigner(test().instance.engine, person)),
      await live().call(gateway, 'GET', '/api/v1/keystore'),
    ];
    expect(answers.map(({ json }) => json['code'])).to.deep.equal(['E_FORBIDDEN', 'E_FORBIDDEN']);
    const events = await test().history('person', person.id);
    expect(events.map(({ act, out, code }) => [act, out, code])).to.deep.equal([
      ['access.denied', 'denied', 'E_FORBIDDEN'],
    ]);
  });

  it('refuses a person who is disabled, from the next request on', async () => {
    const person = test().people.caOwner;
    const client = live().client(person);
    expect(await client.json('GET', '/api/v1/keystore')).to.deep.equal({ state: 'UNSEALED' });
    await test().database.transaction(async (tx) => {
      const row = await tx.people.find(person.id);
      await tx.people.setStatus(person.id, row?.version ?? 0, 'disabled');
    });
    expect((await client.send('GET', '/api/v1/keystore')).status).to.equal(401);
  });
});
