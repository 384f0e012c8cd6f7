/** Files for a command line, in a folder of their own that goes with the suite. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePem } from '../../src/crypto/asn1/pem.ts';
import type { CryptoEngine } from '../../src/crypto/engine.ts';
import type { CastMember } from '../fixtures/estate.ts';

/** Key files of people, encrypted once in a run: that is slow by design. */
const KEY_FILES = new Map<string, Promise<Buffer>>();

function keyFileOf(engine: CryptoEngine, { id, key }: CastMember): Promise<Buffer> {
  const known = KEY_FILES.get(id) ?? engine.exportPkcs8(key, Buffer.from('a passphrase'), 'gmssl');
  KEY_FILES.set(id, known);
  return known;
}

export class ScratchFiles {
  readonly folder = mkdtempSync(join(tmpdir(), 'kmc-cli-'));

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, content: string | Buffer): string {
    writeFileSync(this.path(name), content, { mode: 0o600 });
    return this.path(name);
  }

  pem(name: string, ...certificates: readonly Buffer[]): string {
    return this.write(name, certificates.map((der) => encodePem('CERTIFICATE', der)).join(''));
  }

  /** The options that make somebody the caller. */
  async identity(engine: CryptoEngine, member: CastMember): Promise<string[]> {
    const { id, certificate } = member;
    const keyFile = this.write(`${id}.key.pem`, encodePem('ENCRYPTED PRIVATE KEY', await keyFileOf(engine, member)));
    const passphraseFile = this.write(`${id}.passphrase`, 'a passphrase\n');
    return [
      '--key',
      keyFile,
      '--cert',
      this.pem(`${id}.crt.pem`, certificate.der),
      '--passphrase-file',
      passphraseFile,
    ];
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
