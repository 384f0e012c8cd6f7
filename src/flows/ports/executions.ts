/** What was executed: at most one execution for each approved request (security-and-faults I5). */

export interface ExecutionRow {
  readonly requestDigest: string;
  readonly at: Date;
  /** JSON; absent while the act runs, and after a crash in it. */
  readonly result: string | undefined;
}

export interface ExecutionReader {
  find(requestDigest: string): Promise<ExecutionRow | undefined>;
}

export interface ExecutionWriter extends ExecutionReader {
  /** Claims the one execution. False when it was claimed before. */
  insert(row: ExecutionRow): Promise<boolean>;
  /** Records the result of an execution that has none. False when it has one. */
  complete(requestDigest: string, result: string): Promise<boolean>;
}
