/**
 * Files encrypted under a data key (large bodies by envelope): the service wraps the key, the file never leaves its owner.
 *
 *     "KMF1" | headerLength(4) | header | chunk | chunk ...        header: JSON {context, key, wrapped}
 *     chunk = length(4) | data ciphertext under the data key       content: 1 MiB, of the last one what is left
 *
 * Each chunk is a data ciphertext (crypto/data-ciphertext.ts) of the key id `chunk`, or `last` for the last one, with its
 * place as the version and the context of the file: none can be left out, moved or added. The header is not authenticated by
 * itself: another context, key or wrapped key gives another data key, or none.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { MAX_DATA_LENGTH } from '../crypto/data-ciphertext.ts';
import type { CryptoEngine, DataLabel, SecretHandle } from '../crypto/engine.ts';
import { canonicalizeSigned, parseStrictJson } from '../crypto/jcs.ts';
import { wipe } from '../crypto/bytes.ts';
import { contextOctets, type DataContext } from '../domain/data-context.ts';
import { isBase64, isObject, requireMembers, type MemberCheck } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { FileInTheMaking } from './file-in-the-making.ts';
import type { KmcClient } from './signed-client.ts';

export interface DataFilePorts {
  /** Signed by an application that has the grants data-key, decrypt or rewrap. */
  readonly client: KmcClient;
  readonly engine: CryptoEngine;
  /** Told after each chunk. */
  readonly progress?: (done: number, total: number) => void;
}

export interface DataFilePaths {
  readonly from: string;
  /** A new file: one that is there is never overwritten. */
  readonly to: string;
}

interface Header {
  readonly context: DataContext;
  /** Id of the managed key. */
  readonly key: string;
  /** base64 of the data key's data ciphertext. */
  readonly wrapped: string;
}

const MAGIC = Buffer.from('KMF1', 'latin1');
const LONGEST_HEADER = 8_192;
const LENGTH = 4;
/** A chunk is longer than its content by at most this. */
const OVERHEAD = 128;

const text: MemberCheck = (value) => (typeof value === 'string' && isBase64(value) ? undefined : 'must be base64');
const id: MemberCheck = (value) =>
  typeof value === 'string' && /^[a-z0-9][a-z0-9-]{0,63}$/.test(value) ? undefined : 'must be an id';
const texts: MemberCheck = (value) =>
  isObject(value) && Object.values(value).every((one) => typeof one === 'string') ? undefined : 'must hold texts';

function notDecrypted(): KmcError {
  return new KmcError('E_DECRYPT', 'The file does not decrypt: it is damaged, cut, or not encrypted by kmc crypto.');
}

function encodeHeader(header: Header): Buffer {
  const json = Buffer.from(canonicalizeSigned(header), 'utf8');
  const length = Buffer.alloc(LENGTH);
  length.writeUInt32BE(json.length);
  return Buffer.concat([MAGIC, length, json]);
}

/** @throws KmcError E_DECRYPT for what is no header. */
function readHeader(source: Source): Header {
  const length = source.take(MAGIC.length).equals(MAGIC) ? source.take(LENGTH).readUInt32BE() : 0;
  if (length === 0 || length > LONGEST_HEADER) throw notDecrypted();
  try {
    const header = parseStrictJson(source.take(length), { maxBytes: LONGEST_HEADER });
    requireMembers<Header>(header, { context: texts, key: id, wrapped: text }, 'header of the file');
    return header;
  } catch (error) {
    throw error instanceof KmcError ? notDecrypted() : error;
  }
}

/** A file that is read from its begin to its end. */
class Source {
  readonly size: number;
  #at = 0;
  readonly #descriptor: number;

  constructor(path: string) {
    try {
      this.#descriptor = openSync(path, 'r');
      this.size = fstatSync(this.#descriptor).size;
    } catch (cause) {
      throw new KmcError('E_NOT_FOUND', `The file cannot be read: ${path}`, { cause });
    }
  }

  get left(): number {
    return this.size - this.#at;
  }

  get at(): number {
    return this.#at;
  }

  /** The next octets. @throws KmcError E_DECRYPT when there are fewer. */
  take(length: number): Buffer {
    const octets = Buffer.alloc(Math.min(length, this.left));
    for (let read = 0; read < octets.length;) {
      const got = readSync(this.#descriptor, octets, read, octets.length - read, this.#at + read);
      if (got === 0) throw notDecrypted();
      read += got;
    }
    this.#at += octets.length;
    if (octets.length < length) throw notDecrypted();
    return octets;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function chunkLabel(isLast: boolean, place: number, context: DataContext): DataLabel {
  return { keyId: isLast ? 'last' : 'chunk', keyVersion: place, context: contextOctets(context) };
}

function member(answer: unknown, name: string): string {
  const value = isObject(answer) ? answer[name] : undefined;
  if (typeof value === 'string' && isBase64(value)) return value;
  throw new KmcError('E_SCHEMA', 'The service answered something else than was asked for.');
}

/** Asks for something that comes encrypted to a key that is made for it, and lets `work` have the secret. */
async function withSecret<T>(
  { client, engine }: DataFilePorts,
  path: string,
  body: Readonly<Record<string, unknown>>,
  work: (dataKey: SecretHandle, answer: unknown) => Promise<T>,
): Promise<T> {
  const own = await engine.generateKeyPair('SM2');
  try {
    const answer = await client.json('POST', path, { ...body, recipient: own.spki.toString('base64') });
    const dataKey = await engine.decryptSecret(own, Buffer.from(member(answer, 'enveloped'), 'base64'));
    try {
      return await work(dataKey, answer);
    } finally {
      engine.destroySecret(dataKey);
    }
  } finally {
    engine.destroyKey(own);
  }
}

async function writeChunks(
  { engine, progress }: DataFilePorts,
  dataKey: SecretHandle,
  context: DataContext,
  source: Source,
  target: FileInTheMaking,
): Promise<void> {
  for (let place = 0, isLast = false; !isLast; place += 1) {
    isLast = source.left <= MAX_DATA_LENGTH;
    const content = source.take(Math.min(MAX_DATA_LENGTH, source.left));
    const ciphertext = await engine.encryptData(dataKey, chunkLabel(isLast, place, context), content);
    wipe(content);
    const length = Buffer.alloc(LENGTH);
    length.writeUInt32BE(ciphertext.length);
    target.write(Buffer.concat([length, ciphertext]));
    progress?.(source.at, source.size);
  }
}

async function readChunks(
  { engine, progress }: DataFilePorts,
  dataKey: SecretHandle,
  context: DataContext,
  source: Source,
  target: FileInTheMaking,
): Promise<void> {
  for (let place = 0, isLast = false; !isLast; place += 1) {
    const length = source.take(LENGTH).readUInt32BE();
    if (length > MAX_DATA_LENGTH + OVERHEAD) throw notDecrypted();
    const ciphertext = source.take(length);
    isLast = source.left === 0;
    const content = await engine.decryptData(dataKey, chunkLabel(isLast, place, context), ciphertext);
    target.write(content);
    wipe(content);
    progress?.(source.at, source.size);
  }
}

async function transform(
  { from, to }: DataFilePaths,
  work: (source: Source, target: FileInTheMaking) => Promise<void>,
): Promise<void> {
  const source = new Source(from);
  try {
    const target = new FileInTheMaking(to);
    try {
      await work(source, target);
      target.finish();
    } finally {
      target.discard();
    }
  } finally {
    source.close();
  }
}

/**
 * Encrypts a file of any size under a new data key of a managed key, bound to the context.
 * @throws KmcError as the service answers; E_EXISTS, E_STORAGE, E_NOT_FOUND (files); E_SCHEMA (context).
 */
export async function encryptFile(
  ports: DataFilePorts,
  paths: DataFilePaths,
  key: string,
  context: DataContext,
): Promise<void> {
  contextOctets(context);
  await transform(paths, (source, target) =>
    withSecret(ports, '/api/v1/crypto/data-key', { key, context, form: 'recipient' }, async (dataKey, answer) => {
      target.write(encodeHeader({ context, key, wrapped: member(answer, 'wrapped') }));
      await writeChunks(ports, dataKey, context, source, target);
    }),
  );
}

/**
 * Decrypts a file of `encryptFile`. The new file appears when all of it was verified.
 * @throws KmcError E_DECRYPT for damage of any kind; as the service answers; E_EXISTS, E_STORAGE, E_NOT_FOUND (files).
 */
export async function decryptFile(ports: DataFilePorts, paths: DataFilePaths): Promise<void> {
  await transform(paths, async (source, target) => {
    const { context, key, wrapped } = readHeader(source);
    const asked = { key, context, ciphertext: wrapped };
    await withSecret(ports, '/api/v1/crypto/decrypt', asked, (dataKey) =>
      readChunks(ports, dataKey, context, source, target),
    );
  });
}

/**
 * Has the data key of a file wrapped anew under the current version of its managed key; the chunks are copied as they are.
 * @throws KmcError as `decryptFile`.
 */
export async function rewrapFile(ports: DataFilePorts, paths: DataFilePaths): Promise<void> {
  await transform(paths, async (source, target) => {
    const { context, key, wrapped } = readHeader(source);
    const answer = await ports.client.json('POST', '/api/v1/crypto/rewrap', { key, context, ciphertext: wrapped });
    target.write(encodeHeader({ context, key, wrapped: member(answer, 'ciphertext') }));
    while (source.left > 0) target.write(source.take(Math.min(MAX_DATA_LENGTH, source.left)));
  });
}
