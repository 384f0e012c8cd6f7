/** A keystore in one file: every file as it stands, sealed, and the manifest that lists them. */
import { KmcError } from '../../errors.ts';
import { compareFiles, decodeManifest, fileEntry, type Manifest } from './manifest.ts';
import { decodeRecord, encodeRecord } from './record-fields.ts';
import type { KeystoreKind } from './keystore-kind.ts';

export interface KeystoreArchive {
  readonly manifest: Buffer;
  readonly files: readonly { readonly name: string; readonly bytes: Buffer }[];
}

const WHAT = 'The backup of the keystore';
const FORMAT = 'kmc-keystore-archive-1';
const MAX_FILE = 4_194_304;

/** The file of an archive. It holds no key that is not sealed under the shares of its set. */
export function encodeKeystoreArchive({ manifest, files }: KeystoreArchive): Buffer {
  return encodeRecord({
    format: FORMAT,
    manifest: manifest.toString('base64'),
    files: files.map(({ name, bytes }) => ({ name, bytes: bytes.toString('base64') })),
  });
}

/**
 * Reads an archive and holds its files against its manifest.
 * @throws KmcError E_INTEGRITY when it is damaged, is of the other kind or lacks a file.
 */
export function decodeKeystoreArchive(
  bytes: Buffer,
  kind: KeystoreKind,
): KeystoreArchive & { readonly read: Manifest } {
  const archive = decodeRecord(bytes, WHAT, (fields) => {
    fields.text('format', new RegExp(`^${FORMAT}$`));
    return {
      manifest: fields.bytes('manifest', MAX_FILE),
      files: fields.list('files', (file) => ({
        name: file.text('name', /^[A-Za-z0-9][A-Za-z0-9./_-]{0,200}$/),
        bytes: file.bytes('bytes', MAX_FILE),
      })),
    };
  });
  const read = decodeManifest(archive.manifest);
  const found = archive.files.map((file) => fileEntry(file.name, file.bytes));
  const { missing, altered, unlisted } = compareFiles(read.body.files, found);
  if (read.body.kind === kind && missing.length + altered.length + unlisted.length === 0) return { ...archive, read };
  throw new KmcError('E_INTEGRITY', `${WHAT} is not whole: take another one.`);
}
