/** Uses of managed keys that processes reserve in blocks before they make them. */

/** A number of uses that one process took for itself, until it has accounted for them. */
export interface KeyUseBlock {
  readonly id: string;
  /** Of a managed key. */
  readonly versionId: string;
  readonly size: number;
  /** It counts against the limit of the key. */
  readonly limited: boolean;
  readonly reservedAt: Date;
}

export interface KeyUseReader {
  /** Uses of the version that are reserved against its limit, those that were made included. */
  reserved(versionId: string): Promise<number>;
  /** Blocks that were reserved before that time, the oldest first. */
  blocksBefore(at: Date, limit: number): Promise<KeyUseBlock[]>;
}

export interface KeyUseWriter extends KeyUseReader {
  /**
   * Raises the total of the version by the size of the block, if it stays within `limit`, in one statement: of any number
   * of processes none passes the limit. False when it would.
   */
  reserve(block: KeyUseBlock, limit: number | undefined): Promise<boolean>;
  /** Ends a block of which `unused` uses were not made; they go back to the limit. False when it had ended already. */
  settle(block: KeyUseBlock, unused: number): Promise<boolean>;
}
