import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { encodePem } from '../../src/crypto/asn1/pem.ts';
import { ask } from '../fixtures/approvals.ts';
import { SYSTEM, testInstance } from '../fixtures/instance.ts';
import { actionHandlers } from '../../src/flows/action-handlers.ts';
import { listRequests } from '../../src/flows/approvals/list-requests.ts';
import { SIGNATURE_ALGORITHMS } from '../../src/crypto/algorithms.ts';
import { SM2_SIGNATURE_OPTIONS, withOpenssl } from '../crypto/openssl.ts';
import { forEachDatabase } from '../store/databases.ts';
import { runKmc } from './run-kmc.ts';
import { servedCommands } from './served-commands.ts';

forEachDatabase('kmc approval, with a key in another tool', (fixture) => {
  const test = testInstance(fixture);
  const kmc = servedCommands(test);

  /** A request of class L3, and its file. */
  async function request(commonName = 'Issuing CA 2') {
    const params = { commonName, organization: 'KMC test' };
    const asked = { op: 'authority.create-issuing', targetId: 'sm2-issuing-2', params } as const;
    const { request: body } = await ask(test(), actionHandlers(test().instance), asked, SYSTEM);
    return { id: body.id, file: kmc().files.write(`${body.id}.json`, JSON.stringify(body)) };
  }

  /** Writes the octets that the owner is to sign: with the certificate alone. */
  async function bytesOf(file: string, name: string, ...more: string[]) {
    const cert = kmc().files.pem('owner.pem', test().people.caOwner.certificate.der);
    const bytes = kmc().files.path(name);
    const ran = await runKmc([
      'approval',
      'sign',
      file,
      '--role',
      'ca-owner',
      '--cert',
      cert,
      '--bytes-out',
      bytes,
      ...more,
    ]);
    expect(ran.code, ran.err).to.equal(0);
    return { ran, bytes, cert };
  }

  /** The signature (DER) that the openssl program makes with the owner's key, as the help shows it. */
  async function signedByOpenssl(bytes: string): Promise<Buffer> {
    const { engine } = test().instance;
    const key = await engine.exportPkcs8(test().people.caOwner.key, Buffer.from('a passphrase'), 'openssl');
    return withOpenssl((folder) => {
      folder.write('key.pem', Buffer.from(encodePem('ENCRYPTED PRIVATE KEY', key)));
      folder.write('decision.bin', readFileSync(bytes));
      const files = ['-inkey', 'key.pem', '-passin', 'pass:a passphrase', '-in', 'decision.bin'];
      folder.run('pkeyutl', '-sign', ...files, ...SM2_SIGNATURE_OPTIONS, '-out', 'decision.sig');
      return folder.read('decision.sig');
    });
  }

  it('takes what openssl signed as DER, and the same as raw r||s, handed in by somebody else', async () => {
    const { people } = test();
    for (const form of ['der', 'raw'] as const) {
      const { id, file } = await request(`Issuing CA ${form}`);
      const { bytes, cert } = await bytesOf(file, `decision-${form}.bin`);
      expect(readFileSync(bytes).subarray(0, 16).toString('latin1')).to.equal('KMC-APPROVAL-V1\0');
      const der = await signedByOpenssl(bytes);
      const signature = form === 'der' ? der : SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(der);
      const sig = kmc().files.write(`decision-${form}.sig`, signature);
      const submit = ['approval', 'submit', bytes, '--signature', sig, '--signer-cert', cert];
      expect(await kmc().json(people.securityOne, ...submit)).to.include({ id, state: 'OPEN' });
      const shown = await kmc().json(people.securityOne, 'request', 'show', id);
      expect(shown['decisions']).to.have.length(1);
    }
  });

  it('names a signature over other octets, of another key, and a file that is none', async () => {
    const { securityOne } = test().people;
    const { file } = await request();
    const one = await bytesOf(file, 'one.bin');
    const two = await bytesOf(file, 'two.bin', '--decision', 'reject');
    const signature = kmc().files.write('one.sig', await signedByOpenssl(one.bytes));
    const submit = async (bytes: string, sig: string, cert = one.cert) =>
      await kmc().run(securityOne, 'approval', 'submit', bytes, '--signature', sig, '--signer-cert', cert);
    const swapped = await submit(two.bytes, signature);
    expect([swapped.code, swapped.err]).to.satisfy(([code, err]: [number, string]) => code === 4 && /E_SIGN/.test(err));
    const other = kmc().files.pem('other.pem', securityOne.certificate.der);
    expect((await submit(one.bytes, signature, other)).err).to.contain('E_APPROVAL');
    expect((await submit(file, signature)).err).to.contain('E_APPROVAL');
    expect((await submit(one.bytes, kmc().files.write('x.sig', 'text'))).code).to.equal(4);
    const padded = Buffer.concat([readFileSync(one.bytes).subarray(0, 16), Buffer.from(' {}')]);
    writeFileSync(two.bytes, padded);
    expect((await submit(two.bytes, signature)).code).to.equal(4);
  });

  it('takes one of --out and --bytes-out, and asks for the certificate', async () => {
    const { file } = await request();
    const sign = ['approval', 'sign', file, '--role', 'ca-owner'];
    expect((await runKmc(sign)).code).to.equal(1);
    expect((await runKmc([...sign, '--bytes-out', kmc().files.path('x.bin')])).err).to.contain('--cert');
    const both = ['--out', kmc().files.path('x.json'), '--bytes-out', kmc().files.path('x.bin')];
    expect((await kmc().run(test().people.caOwner, ...sign, ...both)).code).to.equal(1);
  });

  it('refuses a decision signed for another request, instance or environment', async () => {
    const { caOwner, securityOne } = test().people;
    const [first, second] = [await request('Issuing CA 2'), await request('Issuing CA 3')];
    const decision = kmc().files.path('first.json');
    await kmc().json(caOwner, 'approval', 'sign', first.file, '--role', 'ca-owner', '--out', decision);
    const signed = JSON.parse(readFileSync(decision, 'utf8')) as unknown;
    const replay = (id: string, body: unknown) =>
      kmc()
        .service.client(securityOne)
        .send('POST', `/api/v1/requests/${id}/approvals`, Buffer.from(JSON.stringify(body)));
    expect((await replay(second.id, signed)).body.toString()).to.contain('E_APPROVAL');
    for (const environment of ['production/kmc-test', 'development/kmc-other']) {
      const body = JSON.parse(readFileSync(first.file, 'utf8')) as object;
      const elsewhere = kmc().files.write('elsewhere.json', JSON.stringify({ ...body, environment }));
      const out = kmc().files.path(`${environment.replace('/', '-')}.json`);
      await kmc().json(caOwner, 'approval', 'sign', elsewhere, '--role', 'ca-owner', '--out', out);
      const answer = await replay(first.id, JSON.parse(readFileSync(out, 'utf8')));
      expect(answer.body.toString(), environment).to.contain('E_APPROVAL');
    }
    expect((await kmc().json(securityOne, 'request', 'show', first.id))['decisions']).to.deep.equal([]);
  });

  it('lists what waits for the caller, and not what the caller decided or proposed, or what has expired', async () => {
    const { caOwner, securityOne, securityTwo } = test().people;
    const params = kmc().files.write('params.json', '{"commonName":"Issuing CA 9","organization":"KMC test"}');
    const about = [
      '--op',
      'authority.create-issuing',
      '--target',
      'sm2-issuing-9',
      '--params',
      params,
      '--reason',
      'x',
    ];
    const own = await kmc().json(securityOne, 'request', 'create', ...about);
    const { id, file } = await request();
    const waiting = async (member: typeof caOwner) => {
      const { items } = await kmc().json(member, 'approval', 'list', '--for', 'me');
      return (items as { id: string }[]).map((item) => item.id);
    };
    expect(await waiting(securityOne)).to.deep.equal([id]);
    expect(await waiting(caOwner)).to.have.members([own['id'], id]);
    const decision = kmc().files.path('decision.json');
    await kmc().json(caOwner, 'approval', 'sign', file, '--role', 'ca-owner', '--out', decision);
    await kmc().json(securityTwo, 'approval', 'submit', decision);
    expect(await waiting(caOwner)).to.deep.equal([own['id']]);
    test().clock.advance(8 * 86_400);
    const list = { filter: {}, page: { limit: 10 }, awaitingCaller: true };
    expect((await listRequests(test().instance, list, caOwner.caller)).rows, 'expired').to.deep.equal([]);
  });
});
