/** Files that a person names on the command line. */
import { createReadStream, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { TAG } from '../crypto/asn1/der.ts';
import { decodePem, decodePemAll } from '../crypto/asn1/pem.ts';
import { KmcError } from '../errors.ts';

/** Reads a file. @throws KmcError E_NOT_FOUND with the name as it was typed. */
export function readNamedFile(path: string, what: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new KmcError('E_NOT_FOUND', `The ${what} cannot be read: ${path}`, { cause });
  }
}

/** A file in pieces, however large it is. @throws KmcError E_NOT_FOUND with the name as it was typed. */
export async function* readPieces(path: string): AsyncGenerator<Buffer> {
  try {
    for await (const piece of createReadStream(path)) if (Buffer.isBuffer(piece)) yield piece;
  } catch (cause) {
    if (cause instanceof KmcError) throw cause;
    throw new KmcError('E_NOT_FOUND', `The file cannot be read: ${path}`, { cause });
  }
}

/** The certificate of a file, DER; of a PEM file the first. @throws KmcError E_NOT_FOUND, E_DER. */
export function readCertificateFile(path: string): Buffer {
  const bytes = readNamedFile(path, 'certificate');
  return bytes[0] === TAG.sequence ? bytes : decodePem(bytes.toString('utf8'), 'CERTIFICATE');
}

/** The objects of a file: PEM (one or more), or one in DER. @throws KmcError E_NOT_FOUND, E_DER. */
export function dersOf(path: string, ...labels: readonly string[]): [Buffer, ...Buffer[]] {
  const bytes = readNamedFile(path, 'file');
  const [first, ...rest] = bytes[0] === TAG.sequence ? [bytes] : decodePemAll(bytes.toString('utf8'), labels);
  if (first === undefined) throw new KmcError('E_NOT_FOUND', `There is no ${labels.join(' or ')} in ${path}`);
  return [first, ...rest];
}

/** Writes a new file with mode 0600. @throws KmcError E_EXISTS rather than overwrite; E_STORAGE. */
export function writeNewFile(path: string, content: string | Buffer): void {
  try {
    writeFileSync(path, content, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    const exists = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
    if (exists) throw new KmcError('E_EXISTS', `There is a file of that name already: ${path}`, { cause });
    throw new KmcError('E_STORAGE', `The file cannot be written: ${path}`, { cause });
  }
}

/** Puts a content in the place of a file, in one step. @throws KmcError E_STORAGE. */
export function replaceNamedFile(path: string, content: Buffer): void {
  try {
    writeFileSync(`${path}.new`, content, { mode: 0o600, flush: true });
    renameSync(`${path}.new`, path);
  } catch (cause) {
    throw new KmcError('E_STORAGE', `The file cannot be written: ${path}`, { cause });
  }
}
