/** The folder of one ceremony: its files from the first approval to the closed bundle. Nothing in it is ever replaced. */
export interface CeremonyFolder {
  /** Every file by its relative name, sorted. @throws KmcError E_INTEGRITY for what no bundle holds. */
  files(): ReadonlyMap<string, Buffer>;
  /** The content of a file; nothing when it is absent. */
  read(name: string): Buffer | undefined;
  /** Writes a new file, durable on return. @throws KmcError E_EXISTS (exit code 7); E_STORAGE; E_ID for a bad name. */
  create(name: string, bytes: Buffer): void;
  /** Adds a line at the end of a file, durable on return. @throws KmcError E_STORAGE, with `fatal` after a failed fsync. */
  append(name: string, line: Buffer): void;
}

/** The files that a ceremony reads from outside: by name, out of one folder. */
export interface CeremonyInputs {
  /** @throws KmcError E_NOT_FOUND. */
  read(name: string): Buffer;
}
