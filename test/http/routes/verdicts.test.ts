import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { SIGNATURE_ALGORITHMS, verifySignature } from '../../../src/crypto/algorithms.ts';
import { decodePem } from '../../../src/crypto/asn1/pem.ts';
import type { KeyHandle } from '../../../src/crypto/engine.ts';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import { signedBytes } from '../../../src/domain/signed-body.ts';
import { enrolDevice } from '../../../src/flows/enrolments/enrol-device.ts';
import { importLegacyAuthority } from '../../../src/flows/authorities/import-legacy-authority.ts';
import { releaseCertificate } from '../../../src/flows/certificates/release-certificate.ts';
import { revokeCertificate } from '../../../src/flows/certificates/revoke-certificate.ts';
import { renewVerdictKey } from '../../../src/flows/verdicts/verdict-key.ts';
import { verifyChain, type ChainToVerify } from '../../../src/flows/verdicts/verify-chain.ts';
import { parseCertificate, sm3Fingerprint } from '../../../src/x509/certificate.ts';
import { validatePath } from '../../../src/x509/path.ts';
import { refusal } from '../../crypto/refusal.ts';
import { readyDevice } from '../../fixtures/enrolling.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { legacyEstate, legacyIssuing, legacyKey, legacyRoot } from '../../flows/authorities/legacy-estate.ts';
import { LiveService } from '../live-service.ts';

interface Gateway {
  readonly id: string;
  readonly key: KeyHandle;
  readonly sign: Buffer;
  readonly enc: Buffer;
  readonly chain: readonly Buffer[];
}

interface Verdict {
  readonly body: { valid: boolean; reasons: { code: string; clause: string }[]; [name: string]: unknown };
  readonly signatures: { kid: string; sig: string }[];
  readonly certificate: string;
}

forEachDatabase('verdicts on chains', (fixture) => {
  const test = testInstance(fixture);
  let service: LiveService;
  beforeEach(async () => void (service = await LiveService.start(test())));
  afterEach(() => service.close());

  async function enrolled(id: string): Promise<Gateway> {
    const ready = await readyDevice(test(), id);
    const outcome = await enrolDevice(test().instance, ready.input);
    if (outcome.state !== 'ISSUED') throw new Error(outcome.state);
    const { signCertificate, encCertificate, chain } = outcome.answer;
    return { id, key: ready.key, sign: signCertificate, enc: encCertificate, chain };
  }

  async function ask(body: object): Promise<Verdict> {
    const answer = await fetch(`${service.url}/api/v1/verify`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(answer.status).to.equal(200);
    return (await answer.json()) as Verdict;
  }

  const base64 = (...ders: readonly Buffer[]) => ders.map((der) => der.toString('base64'));
  const codes = ({ body }: Verdict) => body.reasons.map(({ code }) => code);
  const idOf = async (der: Buffer) =>
    (await test().database.read((reader) => reader.certificates.findByDigest(sm3Fingerprint(der))))?.id ?? '';

  it('are signed by a key of the SM2 issuing CA, over everything they say', async () => {
    const gateway = await enrolled('gw-1');
    const nonce = 'once-and-never-again';
    const verdict = await ask({ chain: base64(gateway.sign, ...gateway.chain), purpose: 'tlcp-sign', nonce });
    expect(verdict.body).to.include({
      valid: true,
      purpose: 'tlcp-sign',
      nonce,
      certificate: sm3Fingerprint(gateway.sign),
    });
    expect(verdict.body['path']).to.have.length(3);
    const certificate = parseCertificate(Buffer.from(verdict.certificate, 'base64'));
    const signature = SIGNATURE_ALGORITHMS['SM2-SM3'].fromRaw(Buffer.from(verdict.signatures[0]?.sig ?? '', 'base64'));
    const isGenuine = (body: object) =>
      verifySignature('SM2-SM3', certificate.spki, signedBytes('verdict', body), signature);
    expect(isGenuine(verdict.body)).to.equal(true);
    expect(isGenuine({ ...verdict.body, valid: false })).to.equal(false);
    const { root, issuing } = test().estate;
    const path = { leaf: certificate, intermediates: [issuing.certificate], anchors: [root.certificate] };
    expect(validatePath({ ...path, at: test().clock.now(), purpose: 'signature' }).valid).to.equal(true);
    expect(await renewVerdictKey(test().instance, SYSTEM), 'made once').to.equal(false);
  });

  it('find the chain by themselves, and say what the certificate is not fit for', async () => {
    const gateway = await enrolled('gw-1');
    expect(codes(await ask({ chain: base64(gateway.enc), purpose: 'tlcp-enc' }))).to.deep.equal([]);
    expect(codes(await ask({ chain: base64(gateway.enc), purpose: 'tlcp-sign' }))).to.deep.equal(['purpose-key-usage']);
    const late = await ask({ chain: base64(gateway.sign), at: '2040-01-01T00:00:00Z' });
    expect(codes(late)).to.include('expired');
    expect(late.body.reasons[0]?.clause).to.contain('RFC 5280');
    const altered = Buffer.from(gateway.sign);
    altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
    expect(codes(await ask({ chain: base64(altered) }))).to.include.members(['signature', 'not-issued']);
  });

  it('know revocation, hold, and devices out of service, at the time asked for', async () => {
    const { instance, clock } = test();
    const gateway = await enrolled('gw-1');
    const before = `${clock.now().toISOString().slice(0, 19)}Z`;
    const chain = base64(gateway.sign);
    clock.advance(10);
    const certificateId = await idOf(gateway.sign);
    await revokeCertificate(instance, SYSTEM, { certificateId, reason: 'certificateHold' });
    expect(codes(await ask({ chain }))).to.deep.equal(['on-hold']);
    await releaseCertificate(instance, SYSTEM, { certificateId });
    expect(codes(await ask({ chain }))).to.deep.equal([]);
    await revokeCertificate(instance, SYSTEM, { certificateId, reason: 'superseded' });
    expect(codes(await ask({ chain }))).to.deep.equal(['revoked']);
    expect(codes(await ask({ chain, at: before }))).to.deep.equal([]);
    const other = await enrolled('gw-2');
    clock.advance(3600);
    const lost = { reason: 'keyCompromise', invalidityDate: new Date(clock.now().getTime() - 1_800_000) } as const;
    const during = `${new Date(clock.now().getTime() - 900_000).toISOString().slice(0, 19)}Z`;
    await revokeCertificate(instance, SYSTEM, { certificateId: await idOf(other.sign), ...lost });
    expect(codes(await ask({ chain: base64(other.sign), at: during })), 'the key was lost before').to.deep.equal([
      'revoked',
    ]);
    const third = await enrolled('gw-3');
    await fixture.sql("update devices set status = 'suspended', version = version + 1 where id = 'gw-3'");
    expect(codes(await ask({ chain: base64(third.sign) }))).to.deep.equal(['device-not-in-service']);
  });

  it('know an authority that was revoked, and say nothing good of strangers', async () => {
    const gateway = await enrolled('gw-1');
    const { administratorCa } = test().estate;
    expect(codes(await ask({ chain: base64(administratorCa.certificate.der) }))).to.include('no-path');
    await fixture.sql("update authorities set state = 'revoked', version = version + 1 where id = 'sm2-issuing'");
    await refusal('E_STATE', () => verifyChain(test().instance, { chain: [gateway.sign], purpose: 'any' }));
  });

  it('refuse what is malformed, with the place, and store nothing', async () => {
    const gateway = await enrolled('gw-1');
    const post = async (body: unknown) => {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${service.url}/api/v1/verify`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      return [answer.status, ((await answer.json()) as { code: string }).code];
    };
    const chain = base64(gateway.sign);
    expect(await post({ chain: base64(Buffer.from('3003020101', 'hex')) })).to.deep.equal([400, 'E_DER']);
    expect(await post({ chain: [] })).to.deep.equal([400, 'E_SCHEMA']);
    expect(await post({ chain: Array.from({ length: 11 }, () => chain[0]) })).to.deep.equal([400, 'E_SCHEMA']);
    expect(await post({ chain, purpose: 'constructor' })).to.deep.equal([400, 'E_SCHEMA']);
    expect(await post({ chain, at: 'yesterday' })).to.deep.equal([400, 'E_SCHEMA']);
    expect(await post({ chain, nonce: 'short' })).to.deep.equal([400, 'E_SCHEMA']);
  });

  it('let two gateways prove themselves to each other, before one is revoked and after', async () => {
    const { instance } = test();
    const { engine } = instance;
    const [a, b] = [await enrolled('gw-1'), await enrolled('gw-2')];
    const signer = { engine, key: a.key, certificate: a.sign };
    const challenge = async () => {
      const asked = { peerCertSm3: sm3Fingerprint(b.sign) };
      const { status, json } = await service.call(signer, 'POST', '/api/v1/auth/peer-challenges', asked);
      expect(status).to.equal(201);
      return { nonce: String(json['nonce']), message: Buffer.from(String(json['message']), 'base64') };
    };
    const signed = async (key: KeyHandle, message: Buffer) =>
      SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(await engine.sign(key, 'SM2-SM3', message)).toString('base64');
    const first = await challenge();
    const told = Buffer.concat([
      Buffer.from('KMC-PEER-V1\0'),
      Buffer.from(first.nonce, 'base64url'),
      sm3(a.sign),
      sm3(b.sign),
    ]);
    expect(first.message.equals(told), 'what C.5 says').to.equal(true);
    const chain = base64(b.sign);
    const peer = { nonce: first.nonce, signature: await signed(b.key, told) };
    const wrong = { nonce: first.nonce, signature: await signed(a.key, told) };
    expect(codes(await ask({ chain, peer: wrong }))).to.deep.equal(['peer-signature']);
    expect(codes(await ask({ chain: base64(a.sign), peer }))).to.deep.equal(['peer-challenge']);
    const proved = await ask({ chain, peer });
    expect(proved.body).to.include({ valid: true, challenger: sm3Fingerprint(a.sign), peerNonce: first.nonce });
    expect(codes(await ask({ chain, peer })), 'once').to.deep.equal(['peer-challenge']);
    const late = await challenge();
    test().clock.advance(301);
    const answer = { nonce: late.nonce, signature: await signed(b.key, late.message) };
    expect(codes(await ask({ chain, peer: answer })), 'after five minutes').to.deep.equal(['peer-challenge']);
    test().clock.advance(-301);
    await revokeCertificate(instance, SYSTEM, { certificateId: await idOf(b.sign), reason: 'keyCompromise' });
    expect(codes(await ask({ chain, peer: answer }))).to.deep.equal(['revoked']);
    const self = await service.call(signer, 'POST', '/api/v1/auth/peer-challenges', {
      peerCertSm3: sm3Fingerprint(a.sign),
    });
    expect(self.json['code']).to.equal('E_USAGE');
    const nobody = await service.call(signer, 'POST', '/api/v1/auth/peer-challenges', {
      peerCertSm3: `sm3:${'0'.repeat(64)}`,
    });
    expect(nobody.status).to.equal(404);
    const revoked = { engine, key: b.key, certificate: b.sign };
    const refused = await service.call(revoked, 'POST', '/api/v1/auth/peer-challenges', {
      peerCertSm3: sm3Fingerprint(a.sign),
    });
    expect(refused.status).to.equal(401);
  });
});

forEachDatabase('verdicts on imported chains', (fixture) => {
  const test = testInstance(fixture);
  before(function makeEstate() {
    this.timeout(120_000);
    legacyEstate();
  });

  it('know RSA certificates by their inventory', async () => {
    const { instance } = test();
    await importLegacyAuthority(instance, SYSTEM, legacyRoot());
    const issuing = { ...legacyIssuing(), key: await legacyKey(instance.engine, 'issuing') };
    await importLegacyAuthority(instance, SYSTEM, issuing);
    const of = (id: string) => decodePem(readFileSync(legacyEstate().certificateOf(id), 'utf8'), 'CERTIFICATE');
    const judge = async (der: Buffer) => {
      const asked: ChainToVerify = { chain: [der], purpose: 'tls-server' };
      return (await verifyChain(instance, asked)).body.reasons.map(({ code }) => code);
    };
    expect(await judge(of('one'))).to.deep.equal([]);
    expect(await judge(of('three'))).to.deep.equal(['revoked']);
    await fixture.sql("update authorities set inventory = 'awaited', version = version + 1 where id = 'rsa-issuing'");
    expect(await judge(of('one'))).to.deep.equal(['status-unknown']);
  });
});
