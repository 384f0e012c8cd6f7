/** Public keys that are never certified again: compromised, weak, or deny-listed by a manifest. */

export interface BlockedKeyRow {
  readonly spkiSm3: string;
  /** For people. */
  readonly reason: string;
  readonly blockedAt: Date;
  /** Id of the event that recorded it. */
  readonly auditEvent: string;
}

export interface BlockedKeyReader {
  find(spkiSm3: string): Promise<BlockedKeyRow | undefined>;
}

export interface BlockedKeyWriter extends BlockedKeyReader {
  /** False when it is blocked already. Nothing unblocks a key. */
  insert(row: BlockedKeyRow): Promise<boolean>;
}
