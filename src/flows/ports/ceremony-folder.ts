/** The folder of one ceremony: its files from the first approval to the closed bundle. What a record tells of is never replaced. */
export interface CeremonyFolder {
  /** Every file by its relative name, sorted. @throws KmcError E_INTEGRITY for what no bundle holds. */
  files(): ReadonlyMap<string, Buffer>;
  /** The content of a file; nothing when it is absent. */
  read(name: string): Buffer | undefined;
  /** Writes a new file, durable on return. @throws KmcError E_EXISTS (exit code 7); E_STORAGE; E_ID for a bad name. */
  create(name: string, bytes: Buffer): void;
  /** The same, but a file of exactly this content may be there: what was cut is done again. @throws as `create`. */
  ensure(name: string, bytes: Buffer): void;
  /** Removes a file that no record of the transcript tells of; an absent one is no error. @throws KmcError E_STORAGE; E_ID. */
  discard(name: string): void;
  /**
   * Removes what interrupted writes left: temporary files, and what stands behind the last line end of the file `log`.
   * @throws KmcError E_STORAGE.
   */
  clearUp(log: string): void;
  /** Adds a line at the end of a file, durable on return. @throws KmcError E_STORAGE, with `fatal` after a failed fsync. */
  append(name: string, line: Buffer): void;
}

/** The files that a ceremony reads from outside: by name, out of one folder. */
export interface CeremonyInputs {
  /** @throws KmcError E_NOT_FOUND. */
  read(name: string): Buffer;
}
