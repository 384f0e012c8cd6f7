import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createClient } from '../../src/agent/signed-client.ts';
import { refusal } from '../store/race.ts';

/** A certificate for 127.0.0.1, made by the openssl program. */
function selfSigned(folder: string): { key: Buffer; cert: Buffer } {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'crt.pem')];
  const about = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert];
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  execFileSync('openssl', ['req', '-x509', ...newKey, ...about], { stdio: 'ignore' });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

describe('the client of the service', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kmc-tls-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('says what to do about a certificate that is not accepted, and takes it with its anchor', async () => {
    const pair = selfSigned(folder);
    const server = createServer(pair, (_request, response) => response.end('{"ok":true}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const baseUrl = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const { message } = await refusal('E_STORAGE', createClient({ baseUrl }).json('GET', '/readyz'));
      expect(message).to.contain(baseUrl).and.to.contain('--tls-anchor');
      const trusting = createClient({ baseUrl, tlsAnchors: pair.cert.toString('utf8') });
      expect(await trusting.json('GET', '/readyz')).to.deep.equal({ ok: true });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('sends once more what met a kept connection that the service was just closing', async () => {
    const answered = new WeakMap<object, number>();
    const server = createPlainServer((request, response) => {
      const before = answered.get(request.socket) ?? 0;
      answered.set(request.socket, before + 1);
      if (before > 0) request.socket.resetAndDestroy();
      else response.end('{"ok":true}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = createClient({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
    try {
      for (let call = 0; call < 3; call += 1) expect(await client.json('GET', '/readyz')).to.deep.equal({ ok: true });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('names address and option when nobody listens', async () => {
    const { message } = await refusal('E_STORAGE', createClient({ baseUrl: 'http://127.0.0.1:1' }).json('GET', '/'));
    expect(message).to.contain('http://127.0.0.1:1 ').and.to.contain('ECONNREFUSED').and.to.contain('--url');
  });
});
