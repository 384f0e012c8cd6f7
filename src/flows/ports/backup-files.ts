/** Where the service keeps the files of its backups. Only sealed and signed octets pass through here. */

/** A file that stands under its name once it is whole and durable, and not before. */
export interface BackupSink {
  /** @throws KmcError E_STORAGE. */
  write(octets: Buffer): void;
  /** @throws KmcError E_STORAGE, fatal after a failed fsync; E_EXISTS. */
  commit(): void;
  /** Removes what was written; of no effect after `commit`. */
  abandon(): void;
}

export interface BackupFiles {
  create(id: string): BackupSink;
  exists(id: string): boolean;
  /** Octets of the file. @throws KmcError E_NOT_FOUND. */
  size(id: string): number;
  /** Octets of the file from `offset` on, at most `length`; fewer at its end. @throws KmcError E_NOT_FOUND, E_STORAGE. */
  piece(id: string, offset: number, length: number): Buffer;
  /** The file in pieces. @throws KmcError E_NOT_FOUND, E_STORAGE. */
  read(id: string): AsyncIterable<Buffer>;
}
