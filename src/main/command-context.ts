/** What a command may ask for, made when it asks. */
import { createInterface } from 'node:readline/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { createClient } from '../agent/signed-client.ts';
import type { CommandContext, CommandInput, Io } from '../cli/command.ts';
import { readNamedFile } from '../cli/named-file.ts';
import { readEnvironment, type Environment, type SettingFlags } from '../config/environment.ts';
import { decodePem } from '../crypto/asn1/pem.ts';
import { wipe } from '../crypto/bytes.ts';
import type { CryptoEngine } from '../crypto/engine.ts';
import { createSoftwareEngine } from '../crypto/software-engine.ts';
import { KmcError } from '../errors.ts';
import type { CeremonySite } from '../flows/ports/ceremony-site.ts';
import { openCeremonySite } from '../keystore/ceremony-site.ts';
import { openInstance, type OpenedInstance } from './open-instance.ts';

/** Options of the command line that are settings. */
const SETTING_OF_OPTION = {
  home: 'home',
  url: 'server',
  key: 'keyFile',
  cert: 'certificateFile',
  'passphrase-file': 'passphraseFile',
} as const satisfies Readonly<Record<string, keyof SettingFlags>>;

function flagsOf(input: CommandInput): SettingFlags {
  return Object.fromEntries(
    Object.entries(SETTING_OF_OPTION).flatMap(([option, setting]) => {
      const value = input.text(option);
      return value === undefined ? [] : [[setting, value]];
    }),
  );
}

/** A passphrase without the line end that editors put behind it. */
function trimmed(file: Buffer): Buffer {
  let end = file.length;
  while (end > 0 && (file[end - 1] === 0x0a || file[end - 1] === 0x0d)) end -= 1;
  const secret = Buffer.alloc(end);
  file.copy(secret, 0, 0, end);
  wipe(file);
  return secret;
}

async function asked(purpose: string, io: Io): Promise<Buffer> {
  if (!io.isTerminal) throw new KmcError('E_USAGE', `${purpose} is needed: give --passphrase-file.`);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const prompt = createInterface({ input: process.stdin, output: silent, terminal: true });
  io.err(`${purpose}:`);
  try {
    return Buffer.from(await prompt.question(''), 'utf8');
  } finally {
    prompt.close();
  }
}

export interface ClosableContext extends CommandContext {
  close(): Promise<void>;
}

function needed(value: string | undefined, option: string): string {
  if (value === undefined) throw new KmcError('E_USAGE', `This command needs --${option}.`);
  return value;
}

/** Ceremonies of the instance; the tool measures the folder it runs from (`dist` or `src`). */
export function ceremonySiteOf({ home }: Environment, engine: CryptoEngine): CeremonySite {
  return openCeremonySite({
    keystore: join(home, 'ceremony'),
    program: fileURLToPath(new URL('..', import.meta.url)),
    lockFile: fileURLToPath(new URL('../../package-lock.json', import.meta.url)),
    engine: engine.name,
  });
}

/** The context of one command. `close` ends what it opened. */
export function createContext(input: CommandInput, json: boolean, io: Io): ClosableContext {
  const environment: Environment = readEnvironment(flagsOf(input));
  const engine = createSoftwareEngine();
  let opened: Promise<OpenedInstance> | undefined;
  let site: CeremonySite | undefined;
  const context: ClosableContext = {
    io,
    environment,
    engine,
    json,
    ceremonySite: () => (site ??= ceremonySiteOf(environment, engine)),
    openInstance: () => (opened ??= openInstance(environment)),
    async client() {
      const signed = environment.keyFile !== undefined;
      const anchor = input.text('tls-anchor');
      return createClient({
        baseUrl: environment.server ?? 'http://127.0.0.1:8440',
        ...(signed ? { signer: { engine, ...(await context.personalKey()) } } : {}),
        ...(anchor === undefined ? {} : { tlsAnchors: readNamedFile(anchor, 'transport anchor').toString('utf8') }),
      });
    },
    async personalKey() {
      const certificate = readNamedFile(needed(environment.certificateFile, 'cert'), 'certificate');
      const encrypted = readNamedFile(needed(environment.keyFile, 'key'), 'key file');
      const passphrase = await context.passphrase('Passphrase of the key file');
      try {
        const key = await engine.importPkcs8(
          decodePem(encrypted.toString('utf8'), 'ENCRYPTED PRIVATE KEY'),
          passphrase,
        );
        return { key, certificate: decodePem(certificate.toString('utf8'), 'CERTIFICATE') };
      } finally {
        wipe(passphrase);
      }
    },
    async passphrase(purpose) {
      const { passphraseFile } = environment;
      return passphraseFile === undefined
        ? asked(purpose, io)
        : trimmed(readNamedFile(passphraseFile, 'passphrase file'));
    },
    progress(step, done, total) {
      if (json || !io.isTerminal) io.err(JSON.stringify({ step, done, total }));
      else io.err(`${step}: ${done} of ${total}`);
    },
    async close() {
      await (await opened)?.close();
    },
  };
  return context;
}
