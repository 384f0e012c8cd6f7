/** A certification authority of somebody else, made with the openssl program: certificates, CRLs, and what publishes them. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CONFIG = `
[ca]
default_ca = own
[own]
dir = .
database = index.txt
new_certs_dir = new
serial = serial
crlnumber = crlnumber
default_md = sha256
policy = any
default_days = 365
default_crl_days = 7
unique_subject = no
x509_extensions = leaf
copy_extensions = none
[any]
commonName = supplied
[req]
distinguished_name = name
prompt = no
[name]
CN = none
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
`;

interface LeafOptions {
  readonly bits?: number;
  readonly digest?: 'sha1' | 'sha256';
  /** Hex, e.g. to give one twice. */
  readonly serial?: string;
}

/** Serial number of the first certificate that an authority issues, hex. */
const FIRST_SERIAL = '4A00000000000001';

/** The folder of one authority, removed with `remove`. */
class OpensslEstate {
  readonly folder = mkdtempSync(join(tmpdir(), 'kmc-estate-'));
  #serial = 0x4a00_0000_0000_0000n;

  constructor(commonName = 'Provincial CA') {
    mkdirSync(join(this.folder, 'new'));
    writeFileSync(join(this.folder, 'ca.cnf'), CONFIG);
    for (const file of ['index.txt', 'index.txt.attr']) writeFileSync(join(this.folder, file), '');
    writeFileSync(join(this.folder, 'crlnumber'), '01\n');
    this.#openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-days',
      '3650',
      '-subj',
      `/CN=${commonName}`,
      '-config',
      'ca.cnf',
      '-extensions',
      'authority',
    );
  }

  /** DER. */
  get certificate(): Buffer {
    return this.#der('x509', 'ca.pem');
  }

  /** Issues a certificate and gives its DER. */
  issue(commonName: string, { bits = 2048, digest = 'sha256', serial }: LeafOptions = {}): Buffer {
    this.#serial += 1n;
    // The program itself refuses a serial number that it gave before.
    if (serial !== undefined) writeFileSync(join(this.folder, 'index.txt'), '');
    writeFileSync(join(this.folder, 'serial'), `${serial ?? this.#serial.toString(16)}\n`);
    const key = `leaf-${bits}.key`;
    // Whose key it is does not matter here, and making one takes its time.
    if (!existsSync(join(this.folder, key))) this.#openssl('genrsa', '-out', key, String(bits));
    const subject = `/CN=${commonName}`;
    this.#openssl('req', '-new', '-key', key, '-out', 'leaf.csr', '-subj', subject, '-config', 'ca.cnf');
    this.#openssl(
      'ca',
      '-batch',
      '-config',
      'ca.cnf',
      '-keyfile',
      'ca.key',
      '-cert',
      'ca.pem',
      '-in',
      'leaf.csr',
      '-out',
      `${commonName}.pem`,
      '-md',
      digest,
      '-notext',
    );
    return this.#der('x509', `${commonName}.pem`);
  }

  revoke(commonName: string, reason = 'superseded'): void {
    this.#openssl(
      'ca',
      '-config',
      'ca.cnf',
      '-keyfile',
      'ca.key',
      '-cert',
      'ca.pem',
      '-revoke',
      `${commonName}.pem`,
      '-crl_reason',
      reason,
    );
  }

  /** The next CRL, DER. */
  crl(): Buffer {
    this.#openssl('ca', '-config', 'ca.cnf', '-keyfile', 'ca.key', '-cert', 'ca.pem', '-gencrl', '-out', 'crl.pem');
    return this.#der('crl', 'crl.pem');
  }

  /** Sets the number that the next CRL gets. */
  setCrlNumber(hex: string): void {
    writeFileSync(join(this.folder, 'crlnumber'), `${hex}\n`);
  }

  /** Forgets what was revoked, and goes on with that number (hex): as an authority would that hides something. */
  restart(number: string): void {
    writeFileSync(join(this.folder, 'index.txt'), '');
    this.setCrlNumber(number);
  }

  /** A certs-only message of these, DER. */
  message(names: readonly string[]): Buffer {
    const all = names.map((name) => readFileSync(join(this.folder, `${name}.pem`), 'utf8')).join('');
    writeFileSync(join(this.folder, 'all.pem'), all);
    this.#openssl('crl2pkcs7', '-nocrl', '-certfile', 'all.pem', '-outform', 'DER', '-out', 'all.p7c');
    return readFileSync(join(this.folder, 'all.p7c'));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #der(kind: 'x509' | 'crl', file: string): Buffer {
    return execFileSync('openssl', [kind, '-in', file, '-outform', 'DER'], { cwd: this.folder });
  }

  #openssl(...parameters: string[]): void {
    execFileSync('openssl', parameters, { cwd: this.folder, stdio: 'pipe' });
  }
}

/** What an authority publishes over a while, and what others would pass off as its own. All DER. */
export interface Published {
  readonly certificate: Buffer;
  readonly leaves: ReadonlyMap<string, Buffer>;
  /** Its CRLs: number 1 without entries; 2 with one, three revoked and two on hold; another 2; 5, which forgets them all. */
  readonly crls: Readonly<Record<'first' | 'second' | 'again' | 'forgetful', Buffer>>;
  /** Another certificate under the serial number of `one`. */
  readonly sameSerial: Buffer;
  /** A certs-only message of all leaves. */
  readonly message: Buffer;
  /** Of one that took its name. */
  readonly namesake: { readonly leaf: Buffer; readonly crl: Buffer };
  /** Of another one. */
  readonly stranger: { readonly leaf: Buffer; readonly crl: Buffer };
}

export const LEAVES = ['one', 'two', 'three', 'weak', 'sha1'] as const;

let made: Published | undefined;

/** Made once for the run. */
export function published(): Published {
  return (made ??= publish());
}

function publish(): Published {
  const [own, namesake, stranger] = [new OpensslEstate(), new OpensslEstate(), new OpensslEstate('Other CA')];
  try {
    const options: Readonly<Record<string, LeafOptions>> = { weak: { bits: 1024 }, sha1: { digest: 'sha1' } };
    const leaves = new Map(LEAVES.map((name) => [name as string, own.issue(name, options[name])]));
    const message = own.message(LEAVES);
    const first = own.crl();
    own.revoke('one');
    own.revoke('two', 'certificateHold');
    own.revoke('three');
    const second = own.crl();
    own.setCrlNumber('02');
    own.revoke('weak');
    const again = own.crl();
    own.restart('05');
    const forgetful = own.crl();
    namesake.setCrlNumber('09');
    return {
      certificate: own.certificate,
      leaves,
      crls: { first, second, again, forgetful },
      sameSerial: own.issue('again', { serial: FIRST_SERIAL }),
      message,
      namesake: { leaf: namesake.issue('same-name'), crl: namesake.crl() },
      stranger: { leaf: stranger.issue('stranger'), crl: stranger.crl() },
    };
  } finally {
    for (const estate of [own, namesake, stranger]) estate.remove();
  }
}

/** A small HTTP server whose paths a test sets. */
export class Repository {
  readonly paths = new Map<string, Buffer | { readonly status: number; readonly headers?: Record<string, string> }>();
  /** What was asked for. */
  readonly asked: string[] = [];
  /** Milliseconds before an answer. */
  delay = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<Repository> {
    const server = createServer();
    const repository = new Repository(server);
    server.on('request', (request, response) => {
      const path = request.url ?? '';
      repository.asked.push(path);
      const found = repository.paths.get(path) ?? { status: 404 };
      setTimeout(() => {
        if (Buffer.isBuffer(found)) response.end(found);
        else response.writeHead(found.status, found.headers).end();
      }, repository.delay);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return repository;
  }

  url(path: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${path}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}
