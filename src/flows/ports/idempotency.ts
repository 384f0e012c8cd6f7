/** Answers kept under an Idempotency-Key, scoped to the caller (CONTRACT 4). No answer here holds a secret in clear. */

export interface StoredReply {
  readonly status: number;
  /** The body as it was sent. */
  readonly body: Buffer;
}

export interface IdempotencyRow {
  readonly caller: string;
  readonly key: string;
  /** `sm3:<hex>` of the request body: another body under the same key is a conflict. */
  readonly bodyDigest: string;
  /** Absent between claim and answer. */
  readonly reply: StoredReply | undefined;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

export interface IdempotencyReader {
  find(caller: string, key: string): Promise<IdempotencyRow | undefined>;
}

export interface IdempotencyWriter extends IdempotencyReader {
  /**
   * Claims the key for this caller. False when it is taken; `find` then has the row. While another transaction that
   * claims the same key is open, this waits for its end.
   */
  claim(row: Omit<IdempotencyRow, 'reply'>): Promise<boolean>;
  /** Records the answer to a claim that has none. False when it has one. */
  answer(caller: string, key: string, reply: StoredReply): Promise<boolean>;
  /** Gives up a claim that has no answer. False when there is none. */
  release(caller: string, key: string): Promise<boolean>;
  /** Forgets at most `limit` rows that expired before `before`; returns how many. */
  purge(before: Date, limit: number): Promise<number>;
}
