import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { decodePemAll } from '../../../src/crypto/asn1/pem.ts';
import { spkiSm3 } from '../../../src/crypto/spki.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import { parseCsrResponse } from '../../../src/x509/csr-response.ts';
import { lintPair } from '../../../src/x509/lint/lint-pair.ts';
import { readyDevice, requestFor, type ReadyDevice } from '../../fixtures/enrolling.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import csrattrs from '../../vectors/csrattrs-sm2.json' with { type: 'json' };
import { liveService } from '../live-service.ts';

const BASE = '/.well-known/est';

/** The names of gw-1 as openssl writes them: its string types differ from the registry's, their values do not. */
const OPENSSL_REQUEST = `[req]
prompt = no
utf8 = yes
string_mask = utf8only
distinguished_name = dn
req_extensions = ext
[dn]
C = CN
ST = Beijing
O = 政务外网
OU = 市局
CN = gw gw-1
serialNumber = SN-gw-1
[ext]
subjectAltName = DNS:gw-1.gw.example.cn,IP:192.0.2.10
`;

interface CurlAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** An answer as `curl -i` printed it. */
function parsedAnswer(text: string): CurlAnswer {
  const end = text.indexOf('\r\n\r\n');
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(first.split(' ')[1]), headers: Object.fromEntries(headers), body: text.slice(end + 4) };
}

forEachDatabase('EST with curl and openssl', (fixture) => {
  const test = testInstance(fixture);
  const service = liveService(test, { tls: true });
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kmc-est-'));
    writeFileSync(join(folder, 'transport.pem'), service().tls.anchor);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const file = (name: string, content: Buffer | string): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };

  /** curl runs beside this process, which serves it. */
  async function curl(target: string, ...args: string[]): Promise<CurlAnswer> {
    const url = `${service().tls.listener.url}${BASE}/${target}`;
    const child = spawn('curl', ['-s', '-i', '--cacert', join(folder, 'transport.pem'), ...args, url]);
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`curl ended with ${String(code)}`);
    return parsedAnswer(Buffer.concat(chunks).toString('latin1'));
  }

  function post(target: string, csr: Buffer | string, ...args: string[]): Promise<CurlAnswer> {
    const body = typeof csr === 'string' ? csr : csr.toString('base64');
    const type = ['-H', 'Content-Type: application/pkcs10', '-H', 'Content-Transfer-Encoding: base64'];
    return curl(target, ...type, '--data-binary', `@${file('request.b64', body)}`, ...args);
  }

  const basic = ({ device, token }: ReadyDevice): string[] => [
    '-u',
    `${device.serial}:${token.toString('ascii')}`,
    '--basic',
  ];
  const bearer = ({ token }: ReadyDevice): string[] => ['-H', `Authorization: Bearer ${token.toString('ascii')}`];
  const der = ({ body }: CurlAnswer): Buffer => Buffer.from(body, 'base64');

  /** Certificates of a certs-only answer, as openssl reads them. */
  function opensslCertificates(answer: CurlAnswer): Buffer[] {
    const args = ['pkcs7', '-inform', 'DER', '-print_certs'];
    const printed = execFileSync('openssl', args, { input: der(answer) }).toString();
    const blocks = printed.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\n/g) ?? [];
    return decodePemAll(blocks.join(''), 'CERTIFICATE');
  }

  function opensslAccepts(certificate: Buffer): boolean {
    const pem = (name: string, content: Buffer): string =>
      file(name, execFileSync('openssl', ['x509', '-inform', 'DER'], { input: content }));
    const trusted = ['-partial_chain', '-trusted', pem('issuing.pem', test().estate.issuing.certificate.der)];
    const args = ['verify', '-vfyopt', 'distid:1234567812345678', ...trusted, pem('leaf.pem', certificate)];
    return spawnSync('openssl', args).status === 0;
  }

  it('gives CA certificates and csrattrs with and without a label, in the form that old clients read', async () => {
    const { root, issuing } = test().estate;
    for (const label of ['', 'gateway/', 'gateway-sign/', 'hub-gateway/']) {
      const answer = await curl(`${label}cacerts`);
      expect([answer.status, answer.headers['content-type']]).to.deep.equal([200, 'application/pkcs7-mime']);
      expect(answer.headers['content-transfer-encoding']).to.equal('base64');
      expect(Number(answer.headers['content-length'])).to.equal(answer.body.length);
      expect(answer.body).to.match(/^(?:[A-Za-z0-9+/=]{1,76}\r\n)+$/);
      const certificates = opensslCertificates(answer).map((one) => one.toString('hex'));
      expect(certificates).to.have.members([root, issuing].map(({ certificate }) => certificate.der.toString('hex')));
    }
    const attributes = await curl('gateway/csrattrs');
    expect(attributes.headers['content-type']).to.equal('application/csrattrs');
    expect(attributes.body.replaceAll('\r\n', '')).to.equal(csrattrs.base64);
    expect((await curl('nobody/csrattrs')).status).to.equal(404);
    expect((await curl('legacy-gateway/cacerts')).status).to.equal(403);
  });

  it('enrols a pair by gmdualenroll under Basic, gives the same answer again, and refuses another key', async () => {
    const ready = await readyDevice(test(), 'gw-1');
    const answer = await post('gateway/gmdualenroll', ready.csr, ...basic(ready));
    expect([answer.status, answer.headers['content-type']]).to.deep.equal([200, 'application/gmt0092-csr-response']);
    expect(Number(answer.headers['content-length'])).to.equal(answer.body.length);
    const { signCertificates, encryption } = parseCsrResponse(der(answer));
    const [sign, enc] = [signCertificates[0]!, encryption!.certificates[0]!];
    lintPair(parseCertificate(sign).tbs, parseCertificate(enc).tbs);
    expect(opensslAccepts(sign) && opensslAccepts(enc)).to.equal(true);
    const opened = await test().instance.engine.openEnvelopedKey(ready.key, encryption!.envelopedKey);
    expect(opened.spki.equals(parseCertificate(enc).spki)).to.equal(true);
    // A client that builds its request anew for another connection gets the same: the key counts, not the octets.
    const rebuilt = await requestFor(test().instance.engine, ready.device, ready.key);
    expect(rebuilt.equals(ready.csr)).to.equal(false);
    expect((await post('gmdualenroll', rebuilt, ...bearer(ready))).body).to.equal(answer.body);
    const other = await requestFor(
      test().instance.engine,
      ready.device,
      await test().instance.engine.generateKeyPair('SM2'),
    );
    expect((await post('gateway/gmdualenroll', other, ...basic(ready))).status).to.equal(403);
    const events = await test().history('device', 'gw-1');
    expect(events.map(({ act }) => act))
      .to.include('enrolment.complete')
      .and.to.include('enrolment.redeliver');
  });

  it('takes a request that openssl made, and gives its one signing certificate by simpleenroll', async () => {
    const ready = await readyDevice(test(), 'gw-1');
    const { device } = ready;
    const key = file('device.key', '');
    execFileSync('openssl', ['genpkey', '-algorithm', 'SM2', '-out', key]);
    expect(device.serial).to.equal('SN-gw-1');
    const config = file('req.cnf', OPENSSL_REQUEST);
    const args = ['req', '-new', '-key', key, '-sm3', '-sigopt', 'distid:1234567812345678', '-config', config];
    const csr = execFileSync('openssl', [...args, '-outform', 'DER']);
    const answer = await post('gateway-sign/simpleenroll', csr, ...bearer(ready));
    expect(answer.status, answer.body).to.equal(200);
    expect(answer.headers['content-type']).to.equal('application/pkcs7-mime; smime-type=certs-only');
    const certificates = opensslCertificates(answer);
    expect(certificates).to.have.length(1);
    expect(opensslAccepts(certificates[0]!)).to.equal(true);
    const row = await test().database.read((reader) => reader.devices.find('gw-1'));
    expect(row?.spkiSm3).to.equal(spkiSm3(parseCertificate(certificates[0]!).spki));
  });

  it('answers 202 with whole seconds while a marked device waits, to a request that was built anew too', async () => {
    const ready = await readyDevice(test(), 'hub-1', { profile: 'hub-gateway' });
    const first = await post('hub-gateway/gmdualenroll', ready.csr, ...basic(ready));
    expect([first.status, first.headers['retry-after'], first.body]).to.deep.equal([202, '300', '']);
    expect(first.headers['content-length']).to.equal('0');
    const rebuilt = await requestFor(test().instance.engine, ready.device, ready.key);
    const again = await Promise.all([1, 2, 3].map(() => post('gmdualenroll', rebuilt, ...basic(ready))));
    expect(again.map(({ status }) => status)).to.deep.equal([202, 202, 202]);
    const rows = await test().database.read((reader) => reader.enrolments.list({ deviceId: 'hub-1' }, { limit: 9 }));
    expect(rows.map(({ operation, label }) => [operation, label])).to.deep.equal([['gmdualenroll', 'hub-gateway']]);
  });

  it('refuses in text with the statuses of EST', async () => {
    const ready = await readyDevice(test(), 'gw-1');
    const wrong = ['-u', `${ready.device.serial}:${'A'.repeat(32)}`, '--basic'];
    const altered = Buffer.from(ready.csr);
    altered.writeUInt8(altered.readUInt8(altered.length - 1) ^ 1, altered.length - 1);
    const cases: readonly (readonly [number, () => Promise<CurlAnswer>])[] = [
      [401, () => post('gateway/simpleenroll', ready.csr)],
      [401, () => post('gateway/simplereenroll', ready.csr)],
      [401, () => post('gateway/gmdualenroll', ready.csr, ...wrong)],
      [401, () => post('gateway/gmdualenroll', ready.csr, '-H', `Authorization: Bearer ${'B'.repeat(32)}`)],
      [401, () => post('gateway/gmdualenroll', ready.csr, '-H', 'Authorization: Digest x')],
      [400, () => post('gateway/gmdualenroll', altered, ...basic(ready))],
      [400, () => post('gateway/gmdualenroll', '***', ...basic(ready))],
      [400, () => post('gateway/gmdualenroll', `-----BEGIN CERTIFICATE REQUEST-----\n`, ...basic(ready))],
      [403, () => post('hub-gateway/gmdualenroll', ready.csr, ...basic(ready))],
      [404, () => post('gateway-enc/simpleenroll', ready.csr, ...basic(ready))],
      [403, () => post('gateway-sign/gmdualenroll', ready.csr, ...basic(ready))],
      [404, () => post('nobody/gmdualenroll', ready.csr, ...basic(ready))],
      [404, () => post('fullcmc', ready.csr, ...basic(ready))],
      [405, () => curl('gateway/simpleenroll')],
      [413, () => post('gateway/gmdualenroll', 'A'.repeat(17 * 1024), ...basic(ready))],
      [415, () => curl('gateway/gmdualenroll', '--data-binary', 'MAA=', ...basic(ready))],
    ];
    for (const [position, [status, call]] of cases.entries()) {
      const answer = await call();
      expect(answer.status, `case ${position}: ${answer.body}`).to.equal(status);
      expect(answer.headers['content-type']).to.equal('text/plain; charset=utf-8');
      expect(Number(answer.headers['content-length'])).to.equal(answer.body.length);
      expect(answer.body === '').to.equal(status === 401);
      if (status === 401) expect(answer.headers['www-authenticate']).to.equal('Basic realm="est"');
    }
    const rows = await test().database.read((reader) => reader.certificates.list({ deviceId: 'gw-1' }, { limit: 9 }));
    expect(rows).to.have.length(0);
  });

  it('locks a token after five wrong ones under the serial number of its device', async () => {
    const ready = await readyDevice(test(), 'gw-1');
    const wrong = ['-u', `${ready.device.serial}:${'A'.repeat(32)}`, '--basic'];
    for (let tries = 0; tries < 5; tries += 1) {
      expect((await post('gateway/gmdualenroll', ready.csr, ...wrong)).status).to.equal(401);
    }
    expect((await post('gateway/gmdualenroll', ready.csr, ...basic(ready))).status).to.equal(403);
    test().clock.advance(901);
    expect((await post('gateway/gmdualenroll', ready.csr, ...basic(ready))).status).to.equal(200);
  });

  it('answers 503 with Retry-After while sealed, and the CA certificates all the same', async () => {
    const ready = await readyDevice(test(), 'gw-1');
    test().instance.keystore.seal();
    const answer = await post('gateway/gmdualenroll', ready.csr, ...basic(ready));
    expect([answer.status, answer.headers['retry-after']]).to.deep.equal([503, '300']);
    expect((await curl('cacerts')).status).to.equal(200);
  });

  for (const { version, valueOf } of [
    { version: 'TLSv1.2', valueOf: (socket: TLSSocket) => socket.getFinished() },
    {
      version: 'TLSv1.3',
      valueOf: (socket: TLSSocket) => socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)),
    },
  ] as const) {
    it(`links a request to its channel by the challengePassword (${version}), and refuses one of another channel`, async () => {
      const ready = await readyDevice(test(), 'gw-1');
      const statuses: number[] = [];
      for (const foreign of [true, false]) {
        const { hostname, port } = new URL(service().tls.listener.url);
        const options = { host: hostname, port: Number(port), ca: service().tls.anchor, maxVersion: version } as const;
        const socket = connect(options);
        await once(socket, 'secureConnect');
        const value = foreign ? Buffer.alloc(32, 7) : valueOf(socket);
        const challengePassword = value?.toString('base64') ?? '';
        const csr = await requestFor(test().instance.engine, ready.device, ready.key, { challengePassword });
        const body = csr.toString('base64');
        const credential = `Bearer ${ready.token.toString('ascii')}`;
        socket.write(
          `POST ${BASE}/gmdualenroll HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${credential}\r\nConnection: close\r\n` +
            `Content-Type: application/pkcs10\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        );
        const chunks: Buffer[] = [];
        for await (const chunk of socket) chunks.push(chunk as Buffer);
        statuses.push(parsedAnswer(Buffer.concat(chunks).toString('latin1')).status);
      }
      expect(statuses).to.deep.equal([400, 200]);
    });
  }

  it('is not there on the plain listener', async () => {
    const answer = await fetch(`${service().url}${BASE}/cacerts`);
    expect(answer.status).to.equal(404);
  });
});
