import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { decryptFile, encryptFile, rewrapFile, type DataFilePorts } from '../../src/agent/data-file.ts';
import type { KmcClient } from '../../src/agent/signed-client.ts';
import { dataKeyNameOf } from '../../src/crypto/data-ciphertext.ts';
import type { SecretHandle } from '../../src/crypto/engine.ts';
import { createSoftwareEngine } from '../../src/crypto/software-engine.ts';
import { contextOctets, type DataContext } from '../../src/domain/data-context.ts';
import { KmcError } from '../../src/errors.ts';
import { refusal } from '../crypto/refusal.ts';

const CHUNK = 1_048_576;
const CONTEXT = { case: '7' };

interface Asked {
  readonly key: string;
  readonly context: DataContext;
  readonly ciphertext?: string;
  readonly recipient?: string;
}

/** The service, as far as files need it: managed keys in an engine of its own. */
class FakeService implements Pick<KmcClient, 'json'> {
  readonly engine = createSoftwareEngine();
  readonly versions: SecretHandle[] = [];

  async json(_method: string, path: string, body: unknown): Promise<unknown> {
    const asked = body as Asked;
    const operation = path.split('/').at(-1);
    if (operation === 'data-key') return await this.#make(asked);
    const { keyVersion } = dataKeyNameOf(Buffer.from(asked.ciphertext ?? '', 'base64'));
    const key = this.versions[keyVersion - 1];
    if (key === undefined) throw new KmcError('E_DECRYPT', 'no such version');
    const from = { key, label: this.#label(asked, keyVersion) };
    const ciphertext = Buffer.from(asked.ciphertext ?? '', 'base64');
    if (operation === 'decrypt') {
      const secret = await this.engine.unwrapDataKey(from.key, from.label, ciphertext);
      return { enveloped: await this.#envelope(secret, asked) };
    }
    const to = { key: this.versions.at(-1)!, label: this.#label(asked, this.versions.length) };
    return { ciphertext: (await this.engine.rewrapData(from, to, ciphertext)).toString('base64') };
  }

  async #make(asked: Asked): Promise<unknown> {
    const dataKey = await this.engine.generateDataKey();
    const label = this.#label(asked, this.versions.length);
    const wrapped = await this.engine.wrapDataKey(this.versions.at(-1)!, label, dataKey);
    return { wrapped: wrapped.toString('base64'), enveloped: await this.#envelope(dataKey, asked) };
  }

  async #envelope(secret: SecretHandle, { recipient = '' }: Asked): Promise<string> {
    return (await this.engine.encryptSecretTo(secret, Buffer.from(recipient, 'base64'))).toString('base64');
  }

  #label({ key, context }: Asked, keyVersion: number) {
    return { keyId: key, keyVersion, context: contextOctets(context) };
  }
}

describe('a file under a data key', () => {
  let folder: string;
  let service: FakeService;
  let ports: DataFilePorts;
  const path = (name: string): string => join(folder, name);

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kmc-data-file-'));
    service = new FakeService();
    service.versions.push(await service.engine.generateSecret(16));
    ports = { client: service as unknown as KmcClient, engine: createSoftwareEngine() };
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function encrypted(content: Buffer): Promise<Buffer> {
    writeFileSync(path('plain'), content);
    await encryptFile(ports, { from: path('plain'), to: path('sealed') }, 'mk-1', CONTEXT);
    return readFileSync(path('sealed'));
  }

  async function decrypted(sealed: Buffer): Promise<Buffer> {
    writeFileSync(path('given'), sealed);
    rmSync(path('opened'), { force: true });
    await decryptFile(ports, { from: path('given'), to: path('opened') });
    return readFileSync(path('opened'));
  }

  it('comes back, whatever its size: empty, within a chunk, at its end, over several', async () => {
    for (const size of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 5]) {
      const content = Buffer.alloc(size, size % 251);
      const sealed = await encrypted(content);
      expect((await decrypted(sealed)).equals(content), String(size)).to.equal(true);
      expect(size > 16 && sealed.includes(content.subarray(0, 16))).to.equal(false);
      rmSync(path('sealed'));
    }
    expect(readdirSync(folder).sort()).to.deep.equal(['given', 'opened', 'plain']);
  });

  it('does not open when a bit is flipped, it is cut, its chunks are moved or some are left out; nothing is left behind', async () => {
    const sealed = await encrypted(Buffer.concat([Buffer.alloc(CHUNK, 1), Buffer.alloc(CHUNK, 2), Buffer.alloc(9, 3)]));
    const begin = 8 + sealed.readUInt32BE(4);
    const first = begin + 4 + sealed.readUInt32BE(begin);
    const second = first + 4 + sealed.readUInt32BE(first);
    const [head, one, two, three] = [
      sealed.subarray(0, begin),
      sealed.subarray(begin, first),
      sealed.subarray(first, second),
      sealed.subarray(second),
    ];
    const bad = [
      Buffer.concat([head, two, one, three]),
      Buffer.concat([head, one, three]),
      Buffer.concat([head, one, two]),
      Buffer.concat([head, three]),
      Buffer.concat([sealed, three]),
      Buffer.concat([sealed, Buffer.alloc(1)]),
      head,
      Buffer.alloc(0),
    ];
    for (const cut of [1, 5, 9, begin - 1, begin + 2, first - 1, sealed.length - 1]) bad.push(sealed.subarray(0, cut));
    for (const at of [0, 2, 6, begin, begin + 4, first - 1, sealed.length - 1]) {
      const flipped = Buffer.from(sealed);
      flipped[at]! ^= 1;
      bad.push(flipped);
    }
    for (const [place, given] of bad.entries()) {
      await refusal('E_DECRYPT', () => decrypted(given)).catch((cause: unknown) => {
        throw new Error(`case ${place}`, { cause });
      });
      expect(existsSync(path('opened'))).to.equal(false);
    }
    expect(readdirSync(folder).sort()).to.deep.equal(['given', 'plain', 'sealed']);
  });

  it('does not open under another context or key in its header', async () => {
    const sealed = await encrypted(Buffer.from('content'));
    for (const [from, to] of [
      ['"case":"7"', '"case":"8"'],
      ['"key":"mk-1"', '"key":"mk-2"'],
    ] as const) {
      const changed = Buffer.from(sealed.toString('latin1').replace(from, to), 'latin1');
      expect(changed.equals(sealed)).to.equal(false);
      await refusal('E_DECRYPT', () => decrypted(changed));
    }
  });

  it('has its data key wrapped under the next version, while its chunks stay as they are', async () => {
    const sealed = await encrypted(Buffer.from('content'));
    service.versions.push(await service.engine.generateSecret(16));
    await rewrapFile(ports, { from: path('sealed'), to: path('rewrapped') });
    const rewrapped = readFileSync(path('rewrapped'));
    expect(rewrapped.subarray(-40).equals(sealed.subarray(-40))).to.equal(true);
    expect((await decrypted(rewrapped)).toString()).to.equal('content');
    service.versions[0] = await service.engine.generateSecret(16);
    await refusal('E_DECRYPT', () => decrypted(sealed));
    expect((await decrypted(rewrapped)).toString()).to.equal('content');
  });

  it('never takes the place of a file that is there, and needs one to read', async () => {
    writeFileSync(path('plain'), 'content');
    writeFileSync(path('there'), 'kept');
    const to = path('there');
    await refusal('E_EXISTS', () => encryptFile(ports, { from: path('plain'), to }, 'mk-1', CONTEXT));
    expect(readFileSync(to, 'utf8')).to.equal('kept');
    await refusal('E_NOT_FOUND', () => encryptFile(ports, { from: path('none'), to: path('x') }, 'mk-1', CONTEXT));
    await refusal('E_STORAGE', () =>
      encryptFile(ports, { from: path('plain'), to: path('no/folder/x') }, 'mk-1', CONTEXT),
    );
    expect(readdirSync(folder).sort()).to.deep.equal(['plain', 'there']);
  });
});
