/** The front that the product documents (scripts/fronts/nginx.conf): nginx with ordinary TLS, where nginx is installed. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { encodePem } from '../../src/crypto/asn1/pem.ts';
import { enrolSigningCertificate } from '../../src/flows/enrolments/enrol-signing-certificate.ts';
import { importLegacyAuthority } from '../../src/flows/authorities/import-legacy-authority.ts';
import { revokeCertificate } from '../../src/flows/certificates/revoke-certificate.ts';
import { macOf, registered, requestFor, tokenFor } from '../fixtures/enrolling.ts';
import { SYSTEM, testInstance } from '../fixtures/instance.ts';
import { legacyIssuing, legacyKey, legacyRoot } from '../flows/authorities/legacy-estate.ts';
import { forEachDatabase } from '../store/databases.ts';
import { liveService } from './live-service.ts';

const FRONT = readFileSync(new URL('../../scripts/fronts/nginx.conf', import.meta.url), 'utf8');
const hasNginx = spawnSync('nginx', ['-v']).status === 0;
const REENROLL = '/.well-known/est/legacy-gateway/simplereenroll';
const PASSPHRASE = 'a passphrase';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

forEachDatabase('a registered proxy', (fixture) => {
  const test = testInstance(fixture);
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'kmc-front-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  const place = (name: string): string => join(folder, name);
  const service = liveService(test, { tls: true, proxy: () => ({ name: 'front', socket: place('front.sock') }) });

  interface RsaDevice {
    readonly certificate: Buffer;
    /** A request for a new key, base64. */
    readonly csr: string;
  }

  /** A device with an RSA certificate, whose key and certificate stand in files for curl. */
  async function rsaDevice(): Promise<RsaDevice> {
    const { instance } = test();
    const { engine } = instance;
    await importLegacyAuthority(instance, SYSTEM, legacyRoot());
    const issuing = { ...legacyIssuing(), key: await legacyKey(engine, 'issuing') };
    await importLegacyAuthority(instance, SYSTEM, issuing);
    const device = await registered(test(), 'gw-rsa', { profile: 'legacy-gateway' });
    const { token } = await tokenFor(test(), 'gw-rsa');
    const key = await engine.generateKeyPair('RSA', 2048);
    const csr = await requestFor(engine, device, key);
    const outcome = await enrolSigningCertificate(instance, { deviceId: 'gw-rsa', csr, tokenMac: macOf(token, csr) });
    if (outcome.state !== 'ISSUED') throw new Error(outcome.state);
    const exported = await engine.exportPkcs8(key, Buffer.from(PASSPHRASE), 'openssl');
    const { signCertificate } = outcome.answer;
    writeFileSync(place('device.key'), encodePem('ENCRYPTED PRIVATE KEY', exported));
    writeFileSync(place('device.crt'), encodePem('CERTIFICATE', signCertificate));
    const next = await requestFor(engine, device, await engine.generateKeyPair('RSA', 2048));
    return { certificate: signCertificate, csr: next.toString('base64') };
  }

  /** Speaks on the private socket as the proxy does. @returns the status. */
  function asProxy(csr: string, headers: Record<string, string>): Promise<number> {
    return new Promise((resolve, reject) => {
      const fields = { 'content-type': 'application/pkcs10', 'content-length': String(csr.length), ...headers };
      const options = { socketPath: place('front.sock'), path: REENROLL, method: 'POST', headers: fields };
      const outgoing = httpRequest({ ...options, host: 'localhost' }, (incoming) => {
        incoming.resume();
        incoming.on('end', () => resolve(incoming.statusCode ?? 0));
      });
      outgoing.on('error', reject);
      outgoing.end(csr);
    });
  }

  const curl = (url: string, ...args: string[]): Promise<number> =>
    new Promise((resolve) => {
      const child = spawn('curl', ['-s', '-k', '-o', place('answer'), '-w', '%{http_code}', ...args, url]);
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
      child.once('close', () => resolve(Number(text)));
    });
  const byteSequence = (der: Buffer): string => `:${der.toString('base64')}:`;

  it('says with which certificate a client came, on its socket and nowhere else', async () => {
    const { certificate, csr } = await rsaDevice();
    const field = { 'client-cert': byteSequence(certificate) };
    expect(await asProxy(csr, {})).to.equal(401);
    expect(await asProxy(csr, { 'client-cert': '' })).to.equal(401);
    for (const malformed of [certificate.toString('base64'), ':*:', '::', `${byteSequence(certificate)}, :AAAA:`]) {
      expect(await asProxy(csr, { 'client-cert': malformed }), malformed.slice(0, 9)).to.equal(400);
    }
    expect(await asProxy(csr, { 'client-cert': byteSequence(test().estate.root.certificate.der) })).to.equal(401);
    expect(await asProxy(csr, field)).to.equal(200);
    for (const url of [service().url, service().tls.listener.url]) {
      const args = ['-H', `Client-Cert: ${field['client-cert']}`, '-H', 'Content-Type: application/pkcs10'];
      expect(await curl(`${url}${REENROLL}`, ...args, '--data-binary', csr)).to.equal(400);
    }
    const [row] = await test().database.read((reader) =>
      reader.certificates.list({ deviceId: 'gw-rsa' }, { limit: 1 }),
    );
    await revokeCertificate(test().instance, SYSTEM, { certificateId: row?.id ?? '', reason: 'keyCompromise' });
    expect(await asProxy(csr, field)).to.equal(403);
  });

  // What nginx sends depends on no database.
  if (fixture.engine === 'postgresql') return;
  describe('nginx', () => {
    let child: ChildProcess | undefined;
    before(function needed() {
      if (!hasNginx) this.skip();
    });
    afterEach(async () => {
      const running = child;
      child = undefined;
      if (running === undefined || running.exitCode !== null) return;
      const ended = new Promise((resolve) => running.once('exit', resolve));
      running.kill('SIGTERM');
      await ended;
    });

    /** The documented configuration with the places of this test. @returns its address. */
    async function startNginx(): Promise<string> {
      const port = await freePort();
      const files = ['-keyout', place('front.key.pem'), '-out', place('front.crt.pem')];
      const subject = ['-subj', '/CN=localhost', '-days', '2'];
      execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...files, ...subject], {
        stdio: 'pipe',
      });
      const front = FRONT.replace('unix:/run/kmc/front.sock', `unix:${place('front.sock')}`)
        .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
        .replace('ssl_certificate front', `ssl_certificate ${folder}/front`)
        .replace('ssl_certificate_key front', `ssl_certificate_key ${folder}/front`);
      const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (name) => `${name}_temp_path ${folder}/${name};`,
      );
      const user = process.getuid?.() === 0 ? 'user root;' : '';
      const http = `http { access_log off; ${paths.join(' ')}\n${front}}`;
      const main = `${user} daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log; events {}\n${http}\n`;
      writeFileSync(place('nginx.conf'), main);
      child = spawn('nginx', ['-p', folder, '-c', place('nginx.conf'), '-e', place('error.log')], { stdio: 'ignore' });
      const url = `https://127.0.0.1:${port}`;
      for (let tries = 0; tries < 100 && (await curl(`${url}/livez`)) !== 200; tries += 1) await sleep(50);
      return url;
    }

    it('hands the client certificate on, and nothing that a client says of one', async function () {
      this.timeout(40_000);
      const { certificate, csr } = await rsaDevice();
      const url = await startNginx();
      const type = ['-H', 'Content-Type: application/pkcs10'];
      const identity = ['--cert', place('device.crt'), '--key', place('device.key'), '--pass', PASSPHRASE];
      const forged = ['-H', `Client-Cert: ${byteSequence(certificate)}`];
      const post = (...args: string[]): Promise<number> =>
        curl(`${url}${REENROLL}`, ...type, '--data-binary', csr, ...args);
      expect(await post()).to.equal(401);
      expect(await post(...forged)).to.equal(401);
      expect(await post(...identity), readFileSync(place('error.log'), 'utf8')).to.equal(200);
      const chain = execFileSync('openssl', ['base64', '-d', '-in', place('answer')]);
      expect(chain.length).to.be.greaterThan(500);
      expect(await curl(`${url}/api/v1/devices`)).to.equal(401);
      expect(await curl(`${url}/crl/nobody.crl`)).to.equal(404);
    });
  });
});
