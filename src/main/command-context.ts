/** What a command may ask for, made when it asks. */
import { mkdirSync } from 'node:fs';
import { createClient } from '../agent/signed-client.ts';
import { askSecret } from '../cli/ask-secret.ts';
import type { CommandContext, CommandInput, Io, PersonalKey } from '../cli/command.ts';
import { awaitLock } from '../keystore/lock-file.ts';
import { readNamedFile } from '../cli/named-file.ts';
import { readEnvironment, type Environment, type SettingFlags } from '../config/environment.ts';
import { decodePem } from '../crypto/asn1/pem.ts';
import { wipe } from '../crypto/bytes.ts';
import type { CryptoEngine } from '../crypto/engine.ts';
import { KmcError } from '../errors.ts';
import type { CeremonySite } from '../flows/ports/ceremony-site.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { ceremonySiteOf } from './ceremony-place.ts';
import { requireInstance } from './home-folder.ts';
import { openEngine } from './open-engine.ts';
import { openRehearsal } from './rehearsal.ts';
import { openInstance, type OpenedInstance } from './open-instance.ts';

const STOPPING = ['SIGINT', 'SIGTERM'] as const;

/** Options of the command line that are settings. */
const SETTING_OF_OPTION = {
  home: 'home',
  config: 'config',
  url: 'server',
  key: 'keyFile',
  'key-file': 'keyFile',
  cert: 'certificateFile',
  'passphrase-file': 'passphraseFile',
} as const satisfies Readonly<Record<string, keyof SettingFlags>>;

function flagsOf(input: CommandInput): SettingFlags {
  return Object.fromEntries(
    Object.entries(SETTING_OF_OPTION).flatMap(([option, setting]) => {
      const value = input.setting(option);
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

export interface ClosableContext extends CommandContext {
  close(): Promise<void>;
}

function needed(value: string | undefined, option: string): string {
  if (value === undefined) throw new KmcError('E_USAGE', `This command needs --${option}.`);
  return value;
}

/** @throws KmcError E_USAGE, E_NOT_FOUND, E_PASSPHRASE, E_KEY when key and certificate do not belong together. */
async function openPersonalKey(
  { keyFile, certificateFile }: Environment,
  engine: CryptoEngine,
  passphraseOf: CommandContext['passphrase'],
): Promise<PersonalKey> {
  const pem = readNamedFile(needed(certificateFile, 'cert'), 'certificate').toString('utf8');
  const certificate = decodePem(pem, 'CERTIFICATE');
  const encrypted = readNamedFile(needed(keyFile, 'key'), 'key file').toString('utf8');
  const passphrase = await passphraseOf('Passphrase of the key file');
  try {
    const key = await engine.importPkcs8(decodePem(encrypted, 'ENCRYPTED PRIVATE KEY'), passphrase);
    if (key.spki.equals(parseCertificate(certificate).spki)) return { key, certificate };
    engine.destroyKey(key);
    throw new KmcError('E_KEY', 'The key of --key is not that of the certificate of --cert.');
  } finally {
    wipe(passphrase);
  }
}

/** Holds a folder, which is made if it is not there. */
function lockFolder(folder: string): ReturnType<CommandContext['lockFolder']> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return awaitLock(folder);
}

/** The context of one command. `close` ends what it opened. */
export function createContext(input: CommandInput, json: boolean, io: Io): ClosableContext {
  const environment: Environment = readEnvironment(flagsOf(input));
  const engine = openEngine(environment);
  let opened: Promise<OpenedInstance> | undefined;
  let personal: Promise<PersonalKey> | undefined;
  let site: CeremonySite | undefined;
  const context: ClosableContext = {
    io,
    environment,
    engine,
    json,
    async openInstance(mayBeNew) {
      if (mayBeNew === undefined) requireInstance(environment);
      return await (opened ??= openInstance(environment));
    },
    ceremonySite: () => (site ??= ceremonySiteOf(environment, engine)),
    rehearsal: () => openRehearsal(environment),
    transport() {
      const anchor = input.text('tls-anchor');
      return {
        baseUrl: environment.server ?? 'http://127.0.0.1:8440',
        ...(anchor === undefined ? {} : { tlsAnchors: readNamedFile(anchor, 'transport anchor').toString('utf8') }),
      };
    },
    lockFolder,
    onStop(stop) {
      for (const signal of STOPPING) process.once(signal, stop);
      return () => {
        for (const signal of STOPPING) process.off(signal, stop);
      };
    },
    async client() {
      const personalKey = environment.keyFile === undefined ? undefined : await context.personalKey();
      return createClient({
        ...context.transport(),
        ...(personalKey === undefined ? {} : { signer: { engine, ...personalKey } }),
        onBreakGlass: (session) => io.err(`BREAK-GLASS: session ${session}`),
      });
    },
    personalKey: () => (personal ??= openPersonalKey(environment, engine, (purpose) => context.passphrase(purpose))),
    async passphrase(purpose) {
      const { passphraseFile } = environment;
      return passphraseFile === undefined
        ? await askSecret(purpose, io)
        : trimmed(readNamedFile(passphraseFile, 'passphrase file'));
    },
    progress(step, done, total) {
      if (json || !io.isTerminal) io.err(JSON.stringify({ step, done, total }));
      else io.err(`${step}: ${done} of ${total}`);
    },
    async close() {
      // What did not open was reported by the command.
      const key = await personal?.catch(() => undefined);
      if (key !== undefined) engine.destroyKey(key.key);
      await (await opened?.catch(() => undefined))?.close();
    },
  };
  return context;
}
