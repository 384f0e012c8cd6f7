/** Sessions of the console: browsers that ask, and those that a person approved. */
import type { ConsoleSessionState } from '../../domain/console-session.ts';

export interface ConsoleSessionRow {
  /** `sm3:<hex>` of the secret in the browser's cookie. */
  readonly id: string;
  readonly challenge: string;
  readonly state: ConsoleSessionState;
  /** Who approved, with which certificate (`sm3:<hex>`). */
  readonly personId: string | undefined;
  readonly certificateSm3: string | undefined;
  /** `sm3:<hex>` of the confirmation code. */
  readonly codeSm3: string | undefined;
  /** Wrong codes so far. */
  readonly tries: number;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

export interface ConsoleSessionReader {
  find(id: string): Promise<ConsoleSessionRow | undefined>;
}

export interface ConsoleSessionWriter extends ConsoleSessionReader {
  insert(row: ConsoleSessionRow): Promise<boolean>;
  /** `pending` to `approved`. False when no challenge of that name waits at `now`. */
  approve(
    challenge: string,
    by: { readonly personId: string; readonly certificateSm3: string; readonly codeSm3: string },
    now: Date,
  ): Promise<boolean>;
  /** `approved` to `open`, under a new id. False when it is not approved any more. */
  open(id: string, opened: { readonly id: string; readonly expiresAt: Date }): Promise<boolean>;
  /** Counts a wrong code; with the last one that is allowed the challenge ends. */
  countTry(id: string, most: number): Promise<void>;
  /** False when it was not open. */
  end(id: string): Promise<boolean>;
  /** Forgets at most `limit` sessions that were over before `before`. */
  purge(before: Date, limit: number): Promise<number>;
}
