import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { encodeShareFile, readShareFile } from '../../src/flows/ceremonies/participant.ts';
import { printShare } from '../../src/flows/keystore/paper-share.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { decodePem } from '../../src/crypto/asn1/pem.ts';
import { LiveService } from '../http/live-service.ts';
import { storePair } from '../flows/certificates/device-pair.ts';
import type { CastMember } from '../fixtures/estate.ts';
import { testInstance } from '../fixtures/instance.ts';
import { forEachDatabase } from '../store/databases.ts';
import { runKmc } from './run-kmc.ts';
import { ScratchFiles } from './scratch-files.ts';

forEachDatabase('kmc against a running service', (fixture) => {
  const test = testInstance(fixture);
  let files: ScratchFiles;
  let service: LiveService;
  beforeEach(async () => {
    files = new ScratchFiles();
    service = await LiveService.start(test());
  });
  afterEach(async () => {
    await service.close();
    files.remove();
  });

  /** Runs as that person, or as nobody. */
  async function run(member: CastMember | undefined, ...args: string[]) {
    const identity = member === undefined ? [] : await files.identity(test().instance.engine, member);
    return await runKmc([...args, '--url', service.url, ...identity]);
  }

  /** The share file of a custodian, as a ceremony wrote it. */
  function shareFile(member: CastMember, ciphertext: Buffer, keystore: 'service' | 'ceremony' = 'service'): string {
    const share = {
      setId: '00'.repeat(16),
      index: 1,
      person: member.id,
      certificate: member.caller.certificateSm3,
      ciphertext,
    };
    return files.write(`${member.id}.${keystore}.share.json`, encodeShareFile(keystore, share));
  }

  /** The share of a custodian as it stands on paper. */
  async function typedShare(member: CastMember): Promise<string> {
    const share = readShareFile(readFileSync(shareFile(member, shareOf(member))));
    return (await printShare(test().instance.engine, member.key, share)).toString('latin1');
  }

  it('tells whether the service is ready, and with a key the state of its keystore', async () => {
    const ready = await run(undefined, 'status', '--json');
    expect(ready.json()).to.deep.equal({ ready: true, reasons: [] });
    expect(ready.code).to.equal(0);
    expect((await run(test().people.raOne, 'status')).out).to.contain('keystore: UNSEALED');
  });

  it('shows the certificate under which it speaks with CAs, and writes it once', async () => {
    const out = files.path('kmc.pem');
    const shown = await run(undefined, 'ca', 'communication', '--out', out, '--json');
    expect(shown.code, shown.err).to.equal(0);
    const der = decodePem(readFileSync(out, 'utf8'), 'CERTIFICATE');
    expect(shown.json()).to.include({ certificate: der.toString('base64') });
    expect(parseCertificate(der).keyUsage).to.include('digitalSignature');
    expect((await run(undefined, 'ca', 'communication', '--out', out)).code).to.equal(7);
    test().instance.keystore.seal();
    expect((await run(undefined, 'ca', 'communication')).code).to.equal(2);
  });

  it('shows the key pools with their alarm, and fills one by the batch', async () => {
    const { caOperatorOne, raOne } = test().people;
    const before = await run(caOperatorOne, 'pool', 'status');
    expect(before.code, before.err).to.equal(0);
    expect(before.out).to.contain('ALARM: sm2-encryption is below its low mark.');
    const filled = await run(caOperatorOne, 'pool', 'refill', 'sm2-encryption', '--count', '150', '--json');
    expect(filled.json(), filled.err).to.deep.equal({ pool: 'sm2-encryption', made: 200 });
    const after = await run(caOperatorOne, 'pool', 'status', '--json');
    expect((after.json() as { items: unknown[] }).items[0]).to.include({ spare: 200 });
    expect((await run(raOne, 'pool', 'refill', 'sm2-encryption')).code).to.equal(6);
    expect((await run(caOperatorOne, 'pool', 'refill', 'no-pool')).code).to.equal(1);
  });

  it('seals, and custodians unseal again: one with the share file, one with what was typed in from paper', async () => {
    const { securityOne, custodianOne, custodianTwo, raOne } = test().people;
    expect((await run(raOne, 'seal')).code).to.equal(6);
    const sealed = await run(securityOne, 'seal', '--json');
    expect(sealed.json(), sealed.err).to.include({ state: 'SEALED' });
    const status = await run(undefined, 'status', '--json');
    expect(status.code).to.equal(2);
    expect(status.json()).to.deep.equal({ ready: false, reasons: ['sealed'] });

    const first = await run(custodianOne, 'unseal', shareFile(custodianOne, shareOf(custodianOne)), '--json');
    expect(first.code, first.err).to.equal(0);
    expect(first.json()).to.include({ state: 'UNSEALING' });
    expect(first.err).to.contain('key of the session');
    const again = await run(custodianOne, 'unseal', shareFile(custodianOne, shareOf(custodianOne)));
    expect(again.code).to.equal(6);
    const paper = await typedShare(custodianTwo);
    const wrong = files.write(
      'wrong.txt',
      paper.replace(/^./, (letter) => (letter === 'Z' ? 'Y' : 'Z')),
    );
    const refused = await run(custodianTwo, 'unseal', '--typed', wrong);
    expect(refused.code).to.equal(4);
    expect(refused.err).to.contain('Group 1 ');
    const last = await run(custodianTwo, 'unseal', '--typed', files.write('share.txt', paper.toLowerCase()));
    expect(last.out).to.contain('UNSEALED');
    expect(test().instance.keystore.state).to.equal('UNSEALED');
  });

  it('refuses a share of somebody else, of the other keystore, and one that was damaged', async () => {
    const { custodianOne, custodianTwo } = test().people;
    test().instance.keystore.seal();
    const foreign = shareFile(custodianTwo, shareOf(custodianTwo));
    expect((await run(custodianOne, 'unseal', foreign)).code).to.equal(4);
    const other = shareFile(custodianOne, shareOf(custodianOne), 'ceremony');
    expect((await run(custodianOne, 'unseal', other)).code).to.equal(4);
    const damaged = Buffer.from(shareOf(custodianOne));
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
    expect((await run(custodianOne, 'unseal', shareFile(custodianOne, damaged))).code).to.not.equal(0);
    expect((await run(custodianOne, 'unseal', files.write('no.json', '{}'))).code).to.equal(4);
    expect(test().instance.keystore.state).to.not.equal('UNSEALED');
  });

  it('lists authorities, writes a certificate to a new file and publishes a CRL', async () => {
    const list = await run(undefined, 'ca', 'list', '--json');
    expect((list.json()['items'] as { id: string }[]).map(({ id }) => id)).to.deep.equal([
      'admin-ca',
      'sm2-issuing',
      'sm2-root',
    ]);
    const out = files.path('root.pem');
    expect((await run(undefined, 'ca', 'show', 'sm2-root', '--out', out)).code).to.equal(0);
    const written = parseCertificate(decodePem(readFileSync(out, 'utf8'), 'CERTIFICATE'));
    expect(written.der.equals(test().estate.root.certificate.der)).to.equal(true);
    expect((await run(undefined, 'ca', 'show', 'sm2-root', '--out', out)).code).to.equal(7);
    expect((await run(undefined, 'ca', 'show', 'none', '--json')).code).to.equal(5);
    const { caOperatorOne, raOne } = test().people;
    expect((await run(caOperatorOne, 'ca', 'publish-crl', 'sm2-issuing', '--json')).json()).to.include({ number: '1' });
    expect((await run(raOne, 'ca', 'publish-crl', 'sm2-issuing')).code).to.equal(6);
    expect((await run(undefined, 'ca', 'publish-crl', 'sm2-issuing')).code).to.equal(6);
    const crl = await fetch(`${service.url}/crl/sm2-issuing.crl`);
    expect(crl.headers.get('content-type')).to.contain('application/pkix-crl');
    const headers = { 'if-none-match': crl.headers.get('etag') ?? '' };
    expect((await fetch(`${service.url}/crl/sm2-issuing.crl`, { headers })).status).to.equal(304);
    expect((await fetch(`${service.url}/crl/none.crl`)).status).to.equal(404);
    expect((await fetch(`${service.url}/ca/sm2-root.cer`)).status).to.equal(200);
  });

  it('serves CRLs while sealed, and none while the inventory is awaited', async () => {
    const { caOperatorOne } = test().people;
    await run(caOperatorOne, 'ca', 'publish-crl', 'sm2-issuing');
    test().instance.keystore.seal();
    expect((await fetch(`${service.url}/crl/sm2-issuing.crl`)).status).to.equal(200);
    await fixture.sql("update authorities set inventory = 'awaited', version = version + 1 where id = 'sm2-issuing'");
    const awaited = await fetch(`${service.url}/crl/sm2-issuing.crl`);
    expect([awaited.status, awaited.headers.get('retry-after')]).to.deep.equal([503, '3600']);
  });

  it('puts a certificate on hold, releases it, revokes it', async () => {
    const { sign, enc } = await storePair(test(), fixture);
    const { caOperatorOne, raOne } = test().people;
    const held = await run(caOperatorOne, 'cert', 'revoke', sign.id, '--reason', 'certificateHold', '--json');
    expect(held.json()['revoked'], held.err).to.have.members([sign.id, enc.id]);
    expect((await run(caOperatorOne, 'cert', 'release', sign.id)).out).to.contain('good again');
    expect((await run(caOperatorOne, 'cert', 'revoke', sign.id, '--reason', 'superseded')).code).to.equal(0);
    expect((await run(caOperatorOne, 'cert', 'revoke', sign.id, '--reason', 'superseded')).code).to.equal(7);
    expect((await run(caOperatorOne, 'cert', 'revoke', 'cert-none', '--reason', 'superseded')).code).to.equal(5);
    expect((await run(caOperatorOne, 'cert', 'revoke', enc.id, '--reason', 'boredom')).code).to.equal(2);
    expect((await run(raOne, 'cert', 'revoke', enc.id, '--reason', 'superseded')).code).to.equal(6);
  });

  it('tells when there is no service', async () => {
    const nowhere = await runKmc(['status', '--url', 'http://127.0.0.1:1', '--json']);
    expect(nowhere.code).to.equal(2);
    expect(nowhere.json()).to.include({ ok: false });
    expect(nowhere.err).to.contain('http://127.0.0.1:1 ').and.to.contain('--url');
  });

  it('tells when the other side does not speak TLS', async () => {
    const url = service.url.replace('http:', 'https:');
    const wrong = await runKmc(['status', '--url', url]);
    expect(wrong.code).to.equal(2);
    expect(wrong.err).to.contain(url).and.to.contain('http or https');
  });

  function shareOf(member: CastMember): Buffer {
    const share = test().shares.get(member.id);
    if (share === undefined) throw new Error(`${member.id} holds no share`);
    return share;
  }
});
