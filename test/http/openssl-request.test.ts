/** The documented example (scripts/examples/signed-request.sh): requests signed by a shell and the openssl program alone. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { decodePem, encodePem } from '../../src/crypto/asn1/pem.ts';
import { parseSignature, verifySignedRequest, type SignedRequestParts } from '../../src/domain/http-signature.ts';
import { enrolDevice } from '../../src/flows/enrolments/enrol-device.ts';
import { readyDevice, requestFor } from '../fixtures/enrolling.ts';
import { testInstance } from '../fixtures/instance.ts';
import { forEachDatabase } from '../store/databases.ts';
import { liveService } from './live-service.ts';

const SCRIPT = join(import.meta.dirname, '../../scripts/examples/signed-request.sh');
const PASSPHRASE = 'a passphrase';

interface PrintedRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

function printed(text: string): PrintedRequest {
  const end = text.indexOf('\r\n\r\n');
  const lines = text.slice(0, end).split('\r\n').slice(1);
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { headers: Object.fromEntries(headers), body: text.slice(end + 4) };
}

describe('the openssl example', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'kmc-example-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const [name, ...options] of [
    ['SM2', '-algorithm', 'SM2'],
    ['RSA', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
    ['ECDSA', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  ] as const) {
    it(`signs with an ${name} key what verifies here, with a body and without one`, () => {
      const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
      const file = join(folder, 'body.json');
      writeFileSync(file, '{"state":"INSTALLED"}');
      execFileSync('openssl', ['genpkey', ...options, '-out', key], { stdio: 'pipe' });
      const digest = name === 'SM2' ? ['-sm3'] : ['-sha256'];
      execFileSync('openssl', ['req', '-x509', '-key', key, '-out', cert, '-subj', '/CN=a', ...digest], {
        stdio: 'pipe',
      });
      const spki = decodePem(
        execFileSync('openssl', ['x509', '-in', cert, '-noout', '-pubkey']).toString(),
        'PUBLIC KEY',
      );
      for (const body of [file, '']) {
        const args = ['POST', 'kmc.example:8443', '/api/v1/x?a=1', key, cert, body];
        const request = printed(execFileSync('sh', [SCRIPT, ...args]).toString());
        const parts: SignedRequestParts = {
          method: 'POST',
          authority: 'kmc.example:8443',
          path: '/api/v1/x',
          query: '?a=1',
          ...(body === '' ? {} : { content: { type: 'application/json', body: Buffer.from(request.body) } }),
        };
        const received = parseSignature({
          signatureInput: request.headers['signature-input'],
          signature: request.headers['signature'],
          contentDigest: request.headers['content-digest'],
          hasContent: body !== '',
        });
        verifySignedRequest(received, parts, spki, new Date());
      }
    });
  }
});

forEachDatabase('the openssl example against the service', (fixture) => {
  // What the other side sees depends on no database: the slow program runs once.
  if (fixture.engine === 'postgresql') return;
  const test = testInstance(fixture);
  const service = liveService(test, { tls: true });
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kmc-example-'));
    writeFileSync(join(folder, 'root.pem'), service().tls.anchor);
    writeFileSync(join(folder, 'pass'), PASSPHRASE);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Script and s_client, joined by the shell as the script says. */
  async function ask(method: string, target: string, ...more: string[]): Promise<string> {
    const { host } = new URL(service().tls.listener.url);
    const line = `"$0" "$@" | openssl s_client -quiet -verify_quiet -CAfile "$ROOT" -connect ${host}`;
    const files = [join(folder, 'key.pem'), join(folder, 'crt.pem')];
    const env = {
      PATH: process.env['PATH'] ?? '',
      ROOT: join(folder, 'root.pem'),
      PASSIN: `file:${join(folder, 'pass')}`,
    };
    const child = spawn('sh', ['-c', line, SCRIPT, method, host, target, ...files, ...more], { env });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    await new Promise((resolve) => child.once('close', resolve));
    return Buffer.concat(chunks).toString('latin1');
  }

  it('lets an administrator in, and renews a device with the nonce that the refusal offers', async function () {
    this.timeout(40_000);
    const { instance, people } = test();
    const { engine } = instance;
    const identity = async (key: (typeof people)['auditor']['key'], certificate: Buffer): Promise<void> => {
      const exported = await engine.exportPkcs8(key, Buffer.from(PASSPHRASE), 'openssl');
      writeFileSync(join(folder, 'key.pem'), encodePem('ENCRYPTED PRIVATE KEY', exported));
      writeFileSync(join(folder, 'crt.pem'), encodePem('CERTIFICATE', certificate));
    };
    await identity(people.auditor.key, people.auditor.certificate.der);
    expect(await ask('GET', '/api/v1/keystore')).to.match(/^HTTP\/1\.1 200 [^]*UNSEALED/);

    const ready = await readyDevice(test(), 'gw-1');
    const outcome = await enrolDevice(instance, ready.input);
    if (outcome.state !== 'ISSUED') throw new Error(outcome.state);
    await identity(ready.key, outcome.answer.signCertificate);
    const csr = await requestFor(engine, ready.device, await engine.generateKeyPair('SM2'));
    const body = join(folder, 'body.json');
    writeFileSync(body, JSON.stringify({ csr: csr.toString('base64') }));
    const refused = await ask('POST', '/api/v1/devices/self/renewals', body);
    expect(refused).to.match(/^HTTP\/1\.1 401 /);
    const nonce = /;nonce="([^"]+)"/.exec(refused)?.[1] ?? '';
    const renewed = await ask('POST', '/api/v1/devices/self/renewals', body, nonce);
    expect(renewed).to.match(/^HTTP\/1\.1 200 [^]*"encCertificate"/);
  });
});
