import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { encodePem } from '../../../src/crypto/asn1/pem.ts';
import { importLegacyAuthority } from '../../../src/flows/authorities/import-legacy-authority.ts';
import { revokeCertificate } from '../../../src/flows/certificates/revoke-certificate.ts';
import { renewResponders } from '../../../src/flows/ocsp/renew-responders.ts';
import { CertIdIssuer, encodeCertId } from '../../../src/x509/ocsp/cert-id.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { bouncyCastle, isBouncyCastleThere } from '../../oracles/bouncy-castle-program.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { legacyEstate, legacyIssuing, legacyKey, legacyRoot } from '../../flows/authorities/legacy-estate.ts';
import { storePair } from '../../flows/certificates/device-pair.ts';
import { ocspRequest, seen, withNonce } from '../../x509/ocsp/ocsp-request.ts';
import { LiveService } from '../live-service.ts';

const UNUSED = '5a11223344556677';
const TYPE = { 'content-type': 'application/ocsp-request' };

forEachDatabase('OCSP over HTTP', (fixture) => {
  const test = testInstance(fixture);
  let service: LiveService;
  beforeEach(async () => void (service = await LiveService.start(test())));
  afterEach(() => service.close());

  const issuer = () => {
    const { subject, spki } = test().estate.issuing.certificate;
    return new CertIdIssuer({ name: subject.der, spki });
  };
  const octetsOf = async (answer: Response) => {
    expect(answer.headers.get('content-type')).to.equal('application/ocsp-response');
    expect(answer.status).to.equal(200);
    return Buffer.from(await answer.arrayBuffer());
  };
  const post = async (body: Buffer, headers: Record<string, string> = TYPE) =>
    seen(await octetsOf(await fetch(`${service.url}/ocsp`, { method: 'POST', headers, body })));

  it('answers by POST, and by GET with what a mirror may keep', async () => {
    await renewResponders(test().instance, SYSTEM);
    const { sign } = await storePair(test(), fixture);
    const request = ocspRequest([encodeCertId('sm3', issuer(), sign.serialNumber)]);
    expect((await post(request)).statuses).to.deep.equal(['good']);
    const base64 = request.toString('base64');
    const forms = [encodeURIComponent(base64), base64];
    for (const form of forms) {
      const answer = await fetch(`${service.url}/ocsp/${form}`);
      expect(answer.headers.get('cache-control')).to.equal('public, max-age=3600, must-revalidate, no-transform');
      const etag = answer.headers.get('etag') ?? '';
      expect(seen(await octetsOf(answer)).statuses).to.deep.equal(['good']);
      const again = await fetch(`${service.url}/ocsp/${form}`, { headers: { 'if-none-match': etag } });
      expect(again.status).to.equal(304);
    }
    const live = await fetch(
      `${service.url}/ocsp/${encodeURIComponent(withNonce([encodeCertId('sm3', issuer(), sign.serialNumber)], 20).toString('base64'))}`,
    );
    expect(live.headers.get('cache-control')).to.equal('no-store');
    expect(seen(await octetsOf(live)).nonce).to.equal(true);
  });

  it('reads base64 whose slashes stand next to each other', async () => {
    await renewResponders(test().instance, SYSTEM);
    let serial = 0x5a11223344556677n;
    let request = ocspRequest([encodeCertId('sha256', issuer(), serial.toString(16))]);
    for (; !/\/\//.test(request.toString('base64')); serial += 0x10001n) {
      request = ocspRequest([encodeCertId('sha256', issuer(), `${serial.toString(16)}ffffffffff`)]);
    }
    for (const form of [encodeURIComponent(request.toString('base64')), request.toString('base64')]) {
      expect(seen(await octetsOf(await fetch(`${service.url}/ocsp/${form}`))).statuses).to.deep.equal(['unknown']);
    }
  });

  it('answers bad input in its own form and stores nothing', async () => {
    await renewResponders(test().instance, SYSTEM);
    const id = encodeCertId('sha1', issuer(), UNUSED);
    const bad: [string, Buffer, Record<string, string>][] = [
      ['nothing', Buffer.alloc(0), TYPE],
      ['no DER', Buffer.from('hello'), TYPE],
      ['10,000 certificates', ocspRequest(Array.from({ length: 10_000 }, () => id)), TYPE],
      ['more than any body', Buffer.alloc(1_100_000, 0x30), TYPE],
      ['a nonce of 200 octets', withNonce([id], 200), TYPE],
      ['another media type', ocspRequest([id]), { 'content-type': 'application/json' }],
      ['no media type', ocspRequest([id]), {}],
    ];
    for (const [what, body, headers] of bad) expect((await post(body, headers)).outer, what).to.equal(1);
    for (const path of ['AAAA', '%2F%2F', 'MEow', 'A'.repeat(1500)]) {
      const answer = await fetch(`${service.url}/ocsp/${path}`);
      expect(seen(await octetsOf(answer)).outer, path).to.equal(1);
    }
    for (const path of ['/ocsp/..%2f', '/ocsp/AA%00', '/crl//x.crl', '/crl/a%2fb.crl']) {
      expect((await fetch(`${service.url}${path}`)).status, path).to.equal(400);
    }
    expect(seen(await octetsOf(await fetch(`${service.url}/ocsp/A-B`))).outer).to.equal(1);
    expect(await fixture.sql('select * from ocsp_answers')).to.deep.equal([]);
    expect(service.faults).to.deep.equal([]);
  });

  it('satisfies BouncyCastle on the SM2 hierarchy', async function () {
    this.timeout(60_000);
    if (!isBouncyCastleThere()) this.skip();
    await renewResponders(test().instance, SYSTEM);
    const good = await storePair(test(), fixture, 'gw-1');
    const bad = await storePair(test(), fixture, 'gw-2');
    await revokeCertificate(test().instance, SYSTEM, { certificateId: bad.sign.id, reason: 'keyCompromise' });
    const file = join(test().folder, 'issuing.cer');
    writeFileSync(file, test().estate.issuing.certificate.der);
    const expected = [`${good.sign.serialNumber}=good`, `${bad.sign.serialNumber}=revoked`, `${UNUSED}=unknown`];
    expect(await bouncyCastle('ocsp', `${service.url}/ocsp`, file, ...expected)).to.equal('ok');
    const lie = await bouncyCastle('ocsp', `${service.url}/ocsp`, file, `${good.sign.serialNumber}=revoked`);
    expect(lie, 'it would have noticed').to.contain('IllegalStateException: good');
  });
});

forEachDatabase('OCSP of an RSA hierarchy over HTTP', (fixture) => {
  const test = testInstance(fixture);
  let service: LiveService;
  before(function makeEstate() {
    this.timeout(120_000);
    legacyEstate();
  });
  beforeEach(async () => void (service = await LiveService.start(test())));
  afterEach(() => service.close());

  const openssl = (...args: string[]) =>
    new Promise<string>((resolve) => {
      execFile('openssl', ['ocsp', ...args], { cwd: test().folder }, (_error, stdout, stderr) =>
        resolve(stdout + stderr),
      );
    });

  it('satisfies the openssl program and BouncyCastle', async function () {
    this.timeout(60_000);
    const { instance, database, folder } = test();
    const root = legacyRoot();
    await importLegacyAuthority(instance, SYSTEM, root);
    const issuing = { ...legacyIssuing(), key: await legacyKey(instance.engine, 'issuing') };
    await importLegacyAuthority(instance, SYSTEM, issuing);
    await renewResponders(instance, SYSTEM);
    writeFileSync(join(folder, 'root.pem'), encodePem('CERTIFICATE', root.certificate));
    writeFileSync(join(folder, 'issuing.pem'), encodePem('CERTIFICATE', issuing.certificate));
    writeFileSync(join(folder, 'issuing.cer'), issuing.certificate);
    const rows = await database.read((reader) =>
      reader.certificates.list({ authorityId: 'rsa-issuing' }, { limit: 10 }),
    );
    const imported = rows.filter(({ source }) => source === 'imported');
    const trust = ['-CAfile', 'root.pem', '-verify_other', 'issuing.pem', '-issuer', 'issuing.pem'];
    for (const { serialNumber, status } of imported) {
      const asked = ['-serial', `0x${serialNumber}`, '-url', `${service.url}/ocsp`];
      for (const nonce of [[], ['-no_nonce'], ['-sha256']]) {
        const said = await openssl(...nonce, ...trust, ...asked);
        expect(said).to.contain('Response verify OK').and.to.contain(`0x${serialNumber}: ${status}`);
        expect(said).not.to.contain('WARNING');
      }
    }
    expect(await openssl(...trust, '-serial', '0x5a11223344556677', '-url', `${service.url}/ocsp`)).to.contain(
      ': unknown',
    );
    const wrong = ['-CAfile', 'issuing.pem', '-issuer', 'root.pem', '-serial', '0x5a', '-url', `${service.url}/ocsp`];
    expect(await openssl(...wrong)).to.contain('unauthorized');
    if (!isBouncyCastleThere()) return;
    const expected = imported.map(({ serialNumber, status }) => `${serialNumber}=${status}`);
    expect(await bouncyCastle('ocsp', `${service.url}/ocsp`, join(folder, 'issuing.cer'), ...expected)).to.equal('ok');
  });
});
