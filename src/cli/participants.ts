/**
 * People on the command line of a ceremony: `--participant NAME=DIR`, a folder with key.pem (encrypted PKCS#8), crt.pem,
 * and where they have them passphrase.txt and the shares service.share.json and ceremony.share.json.
 */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { decodePem, encodePem } from '../crypto/asn1/pem.ts';
import { wipe } from '../crypto/bytes.ts';
import type { CryptoEngine, KeyHandle } from '../crypto/engine.ts';
import type { KeystoreName } from '../domain/ceremony/step-kinds.ts';
import type { SealedShare } from '../flows/keystore/hand-out-shares.ts';
import { sealTypedShare } from '../flows/keystore/paper-share.ts';
import { personSharesOf, type HandedOver } from '../flows/ceremonies/hand-over.ts';
import { encodeShareFile, readShareFile, type Participant } from '../flows/ceremonies/participant.ts';
import { KmcError } from '../errors.ts';
import type { CommandContext } from './command.ts';
import { readNamedFile, replaceNamedFile } from './named-file.ts';

export const PERSON_FILES = {
  key: 'key.pem',
  certificate: 'crt.pem',
  passphrase: 'passphrase.txt',
  broughtCertificate: 'self-signed.crt.pem',
} as const;

/** The share of each keystore, where the person holds one. */
export const SHARE_FILES = { service: 'service.share.json', ceremony: 'ceremony.share.json' } as const;
/** The same as it was typed in from paper; it is taken before the file. */
const TYPED_SHARE_FILES = { service: 'service.share.txt', ceremony: 'ceremony.share.txt' } as const;

const KEYSTORES = ['service', 'ceremony'] as const;

export interface NamedFolder {
  readonly name: string;
  readonly folder: string;
}

/** Splits `NAME=DIR`. @throws KmcError E_USAGE. */
export function namedFolder(option: string): NamedFolder {
  const at = option.indexOf('=');
  if (at < 1 || at === option.length - 1) throw new KmcError('E_USAGE', `"${option}" must be NAME=DIR.`);
  return { name: option.slice(0, at), folder: option.slice(at + 1) };
}

/** The certificate (DER) in the folder of a person. @throws KmcError E_NOT_FOUND, E_DER. */
export function certificateIn(folder: string): Buffer {
  const text = readNamedFile(join(folder, PERSON_FILES.certificate), 'certificate of a participant').toString('utf8');
  return decodePem(text, 'CERTIFICATE');
}

/** Loads a person with key, certificate and shares. @throws KmcError E_NOT_FOUND, E_PASSPHRASE, E_DER, E_SCHEMA. */
export async function loadParticipant(
  context: Pick<CommandContext, 'passphrase'>,
  engine: CryptoEngine,
  { name, folder }: NamedFolder,
): Promise<Participant> {
  const text = readNamedFile(join(folder, PERSON_FILES.key), 'key of a participant').toString('utf8');
  const passphrase = await passphraseOf(context, name, folder);
  try {
    const key = await engine.importPkcs8(decodePem(text, 'ENCRYPTED PRIVATE KEY'), passphrase);
    const certificate = certificateIn(folder);
    const typed = await typedSharesIn(folder, engine, key, certificate);
    return { name, key, certificate, shares: { ...sharesIn(folder), ...typed } };
  } finally {
    wipe(passphrase);
  }
}

async function passphraseOf(
  context: Pick<CommandContext, 'passphrase'>,
  name: string,
  folder: string,
): Promise<Buffer> {
  const file = join(folder, PERSON_FILES.passphrase);
  return existsSync(file) ? readPassphrase(file) : await context.passphrase(`Passphrase of ${name}`);
}

/** A passphrase without the line end behind it; the caller wipes it. @throws KmcError E_NOT_FOUND. */
export function readPassphrase(path: string): Buffer {
  const bytes = readNamedFile(path, 'passphrase file');
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d)) end -= 1;
  const secret = Buffer.alloc(end);
  bytes.copy(secret, 0, 0, end);
  wipe(bytes);
  return secret;
}

function sharesIn(folder: string): Participant['shares'] {
  const found = KEYSTORES.flatMap((keystore) => {
    const file = join(folder, SHARE_FILES[keystore]);
    if (!existsSync(file)) return [];
    const { keystore: stated, ...share } = readShareFile(readFileSync(file));
    return [[stated, share] as const];
  });
  return Object.fromEntries(found);
}

/** A share that was typed in from paper, encrypted to the own key. @throws KmcError E_NOT_FOUND, E_SHARE_BAD, E_CERT. */
export async function readTypedShare(
  path: string,
  engine: CryptoEngine,
  key: KeyHandle,
  certificate: Buffer,
): Promise<SealedShare> {
  const text = readNamedFile(path, 'typed share');
  try {
    return await sealTypedShare(engine, { text, key, certificate });
  } finally {
    wipe(text);
  }
}

/** Shares that were typed in from paper, encrypted to the person's own key as those of files are. */
async function typedSharesIn(
  folder: string,
  engine: CryptoEngine,
  key: KeyHandle,
  certificate: Buffer,
): Promise<Participant['shares']> {
  const shares: Partial<Record<KeystoreName, SealedShare>> = {};
  for (const keystore of KEYSTORES) {
    const file = join(folder, TYPED_SHARE_FILES[keystore]);
    if (!existsSync(file)) continue;
    shares[keystore] = await readTypedShare(file, engine, key, certificate);
  }
  return shares;
}

/**
 * Puts what a ceremony gave a person into the person's folder: the certificate in the place of the self-signed one, which
 * is kept beside it, and the shares. Shares from before are kept with their set in the name. What is there already stays,
 * so that a hand-over which was cut is done again.
 */
export function handOver(folder: string, given: HandedOver): void {
  if (given.certificate !== undefined) {
    const pem = Buffer.from(encodePem('CERTIFICATE', given.certificate), 'utf8');
    putInPlace(join(folder, PERSON_FILES.certificate), pem, () => join(folder, PERSON_FILES.broughtCertificate));
  }
  for (const [keystore, share] of personSharesOf(given)) {
    putInPlace(join(folder, SHARE_FILES[keystore]), encodeShareFile(keystore, share), (before) =>
      join(folder, `${keystore}.share-${readShareFile(before).setId}.json`),
    );
  }
}

/** Writes a file in one step; another content goes to the name that `aside` gives it. @throws KmcError E_EXISTS. */
function putInPlace(file: string, content: Buffer, aside: (before: Buffer) => string): void {
  if (existsSync(file)) {
    const before = readFileSync(file);
    if (before.equals(content)) return;
    const kept = aside(before);
    if (existsSync(kept)) throw new KmcError('E_EXISTS', `There is a file of that name already: ${kept}`);
    renameSync(file, kept);
  }
  replaceNamedFile(file, content);
}
