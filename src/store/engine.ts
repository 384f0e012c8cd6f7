/** What a database engine does for `openDatabase`; sqlite.ts and postgres.ts are the two. */
import type { Sql } from './sql.ts';

export interface Engine {
  readonly name: 'sqlite' | 'postgresql';
  read<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** @param limitMs for how long at most, where that is more than for other work. */
  snapshot<T>(work: (sql: Sql) => Promise<T>, limitMs?: number): Promise<T>;
  transaction<T>(work: (sql: Sql) => Promise<T>, limitMs?: number): Promise<T>;
  /** Gives up every connection. Called once, when no unit of work is under way. */
  close(): Promise<void>;
}

/** For how long a unit of work is tried again after collisions. */
export const RETRY_LIMIT_MS = 5_000;
