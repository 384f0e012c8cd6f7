/** What can be known of a keystore while it is sealed: that its files are whole, and which of them are its own. */
import { decodeFormatFile } from '../../domain/keystore/format-file.ts';
import { decodeJournalRecord, type JournalRecord } from '../../domain/keystore/journal-record.ts';
import { FORMAT_FILE, sealFileName } from '../../domain/keystore/keystore-kind.ts';
import { compareFiles, decodeManifest, manifestDigest, type Manifest } from '../../domain/keystore/manifest.ts';
import { decodeSealFile, type SealFile } from '../../domain/keystore/seal-file.ts';
import { KmcError } from '../../errors.ts';
import type { KeystoreFileReader } from '../ports/keystore.ts';

export interface InspectedKeystore {
  readonly manifest: Manifest;
  /** `sm3:<hex>` of the manifest file. */
  readonly digest: string;
  readonly seal: SealFile;
  /** The journal record, when a change was cut. */
  readonly record: JournalRecord | undefined;
}

/**
 * Checks the files of a keystore against its manifest (size and SM3 of each, nothing missing, nothing foreign) and reads
 * the seal file. MACs are not checked: their key is sealed.
 * @returns nothing when the keystore was never made, or its making was cut before it counted.
 * @throws KmcError E_INTEGRITY naming the file that is missing, altered or foreign, or the damaged record.
 */
export function inspectKeystore(files: KeystoreFileReader): InspectedKeystore | undefined {
  const bytes = files.manifest();
  if (bytes === undefined) return undefined;
  const manifest = decodeManifest(bytes);
  const record = readJournal(files);
  const expected = new Set([...(record?.body.adds.map((file) => file.path) ?? []), ...(record?.body.removes ?? [])]);
  const { missing, altered, unlisted } = compareFiles(manifest.body.files, files.list());
  const foreign = unlisted.filter((name) => !expected.has(name));
  refuse('missing', missing);
  refuse('altered', altered);
  refuse('not of this keystore', foreign);
  const format = decodeFormatFile(files.read(FORMAT_FILE));
  if (format.instance !== manifest.body.instance || format.kind !== files.kind || manifest.body.kind !== files.kind) {
    throw new KmcError('E_INTEGRITY', 'The keystore belongs to another instance or is of another kind.');
  }
  return { manifest, digest: manifestDigest(bytes), seal: readSeal(files, manifest), record };
}

/**
 * The journal record that a cut change left; at most one can be there.
 * @throws KmcError E_INTEGRITY when there are more or it is damaged.
 */
export function readJournal(files: KeystoreFileReader): JournalRecord | undefined {
  const [entry, ...others] = files.journal();
  if (entry === undefined) return undefined;
  const record = decodeJournalRecord(entry.bytes);
  if (others.length > 0 || record.body.toEpoch !== entry.sequence) {
    throw new KmcError('E_INTEGRITY', 'The journal of the keystore holds records that no change can have left.');
  }
  return record;
}

function readSeal(files: KeystoreFileReader, manifest: Manifest): SealFile {
  const [name, ...others] = manifest.body.files.map((file) => file.path).filter((path) => path.startsWith('seal/'));
  if (name === undefined || others.length > 0) {
    throw new KmcError('E_INTEGRITY', 'The manifest of the keystore does not list exactly one seal file.');
  }
  const seal = decodeSealFile(files.read(name), name);
  if (sealFileName(seal.set.setId) !== name) {
    throw new KmcError('E_INTEGRITY', `The keystore file ${name} is of another share set. Restore it.`);
  }
  return seal;
}

function refuse(fault: string, names: readonly string[]): void {
  if (names.length === 0) return;
  throw new KmcError('E_INTEGRITY', `Keystore files ${fault}: ${names.join(', ')}. Restore them from the backup.`);
}
