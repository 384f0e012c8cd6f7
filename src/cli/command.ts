/** A command is data: noun, verb, options, an example, and the work. `--help`, parsing and output come from the same table. */
import type { CryptoEngine, KeyHandle } from '../crypto/engine.ts';
import type { ClientOptions, KmcClient } from '../agent/signed-client.ts';
import type { Environment } from '../config/environment.ts';
import type { Instance } from '../flows/instance.ts';
import type { RehearsalPlace } from '../flows/ceremonies/rehearse-ceremony.ts';
import type { CeremonySite } from '../flows/ports/ceremony-site.ts';

export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  /** May stand several times. */
  readonly multiple?: boolean;
  readonly required?: boolean;
  /** Shown in `--help`: what it means, and its default. */
  readonly help: string;
  /** Name of the value in `--help`, e.g. `FILE`. */
  readonly value?: string;
}

/** Values as parsed: a string, a list of strings, or a flag. */
export interface CommandInput {
  text(name: string): string | undefined;
  /** @throws KmcError E_USAGE when it is missing. */
  required(name: string): string;
  list(name: string): readonly string[];
  flag(name: string): boolean;
  /** A common option as a setting; undefined where the command uses that name for something else. */
  setting(name: string): string | undefined;
  readonly positionals: readonly string[];
}

export interface Io {
  /** Standard output: one JSON value with `--json`, text for people otherwise. */
  out(text: string): void;
  /** Standard error: messages, progress. */
  err(text: string): void;
  readonly isTerminal: boolean;
}

/** The key of the person who uses the command line. */
export interface PersonalKey {
  readonly key: KeyHandle;
  /** DER. */
  readonly certificate: Buffer;
}

export interface CommandContext {
  readonly io: Io;
  readonly environment: Environment;
  readonly engine: CryptoEngine;
  readonly json: boolean;
  /**
   * Opens the instance of `--home`: database, keystore files, policies. Closed when the command ends.
   * @param mayBeNew of a command that may make the instance: an empty home is opened too.
   * @throws KmcError E_NOT_FOUND when there is none, and nothing is written.
   */
  openInstance(mayBeNew?: 'may be new'): Promise<Instance>;
  /** The place of ceremonies: their folders, and the ceremony keystore below `--home`. */
  ceremonySite(): CeremonySite;
  /** A new development instance in an empty temporary folder, under the policies of this one; `remove` throws it away. */
  rehearsal(): Promise<RehearsalPlace & { remove(): Promise<void> }>;
  /** Address and trust of the service at `--url`, for a client that signs otherwise than with `--key`. */
  transport(): Pick<ClientOptions, 'baseUrl' | 'tlsAnchors'>;
  /** Holds a folder for this process alone, as soon as it is free. @throws KmcError E_CONFLICT after five seconds. */
  lockFolder(folder: string): Promise<{ release(): void }>;
  /** Calls back when the process is told to stop. @returns what takes that back. */
  onStop(stop: () => void): () => void;
  /** The service at `--url`; signed when `--key` and `--cert` are given. */
  client(): Promise<KmcClient>;
  /** The caller's key from `--key`, opened once, and the certificate (DER) of `--cert`. Destroyed when the command ends. */
  personalKey(): Promise<PersonalKey>;
  /** A secret by file, descriptor or prompt, as a Buffer that the caller wipes. */
  passphrase(purpose: string): Promise<Buffer>;
  /** Progress of long work: a line on a terminal, a JSON line otherwise. */
  progress(step: string, done: number, total: number): void;
}

export interface Outcome {
  readonly exitCode?: number;
  /** The value of `--json`. */
  readonly json: unknown;
  /** The text for people: lines, or a table made by `table()`. */
  readonly text: string;
}

export interface Command {
  readonly noun: string;
  readonly verb: string;
  readonly summary: string;
  readonly example: string;
  /** Further lines of `--help`, before the example. */
  readonly details?: readonly string[];
  /** Names of positional arguments, in order; `?` at the end marks an optional one, `...` the last one that may repeat. */
  readonly positionals?: readonly string[];
  readonly options?: Readonly<Record<string, OptionSpec>>;
  run(input: CommandInput, context: CommandContext): Promise<Outcome>;
}

/** A table for a terminal: columns padded to their widest cell, no borders. */
export function table(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headers.map((header, i) => Math.max(header.length, ...rows.map((row) => (row[i] ?? '').length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(headers), ...rows.map(line)].join('\n');
}
