/** What the keystore flows need of the files of a keystore. Only sealed or public bytes pass through here. */
import type { KeystoreKind } from '../../domain/keystore/keystore-kind.ts';
import type { FileEntry } from '../../domain/keystore/manifest.ts';

/** Reads of a keystore directory. Names are relative, as the table of keystore-kind.ts knows them. */
export interface KeystoreFileReader {
  readonly kind: KeystoreKind;
  /** The manifest as it stands on the medium; nothing while the keystore was never made. */
  manifest(): Buffer | undefined;
  /**
   * Every file besides manifest, journal and lock, sorted by path, with size and SM3 as read now.
   * @throws KmcError E_INTEGRITY for a name that no keystore of this kind holds, a symbolic link, FIFO, device, second
   * hard link or open permission bits.
   */
  list(): FileEntry[];
  /** @throws KmcError E_INTEGRITY naming the file when it is missing or not a private regular file. */
  read(name: string): Buffer;
  /** The journal records that are left, by sequence number. */
  journal(): { readonly sequence: number; readonly bytes: Buffer }[];
}

/**
 * Reads and writes. Each write is durable on return, and all throw KmcError E_STORAGE when the storage refuses, with
 * `fatal` after a failed fsync. Writes are good inside of `exclusively` only.
 */
export interface KeystoreFiles extends KeystoreFileReader {
  /**
   * Runs `work` while no other process changes these files, or judges what a change left. First it deletes what an
   * interrupted write left behind. Not to be nested.
   * @throws KmcError E_CONFLICT when another process is at it for longer than 5 s; what `work` throws.
   */
  exclusively<T>(work: () => Promise<T> | T): Promise<T>;
  /** Puts the manifest in place of the last one, in one step. */
  replaceManifest(bytes: Buffer): void;
  /** Writes a new file. @throws KmcError E_EXISTS; E_ID for a name that no keystore of this kind holds. */
  add(name: string, bytes: Buffer): void;
  /** Removes a file; an absent one is no error. */
  remove(name: string): void;
  /** Writes a journal record. @throws KmcError E_EXISTS. */
  addJournal(sequence: number, bytes: Buffer): void;
  /** Removes a journal record; an absent one is no error. */
  removeJournal(sequence: number): void;
  /** The object is of no use afterwards. */
  close(): void;
}
