/** Public keys that are never certified again: compromised, weak, or deny-listed by a manifest. */

export interface BlockedKeyRow {
  readonly spkiSm3: string;
  /** For people. */
  readonly reason: string;
  readonly blockedAt: Date;
  /** Id of the event that recorded it. */
  readonly auditEvent: string;
}

/** A place where a public key stands already: blocked, certified, or the key of somebody. */
export interface KeyUse {
  readonly spkiSm3: string;
  readonly kind: 'blocked' | 'certificate' | 'device' | 'authority' | 'ca-key' | 'escrowed' | 'managed' | 'person';
  /** Of a certificate or device: the device. */
  readonly deviceId: string | undefined;
  /** Of a certificate: its status. */
  readonly status: string | undefined;
}

export interface BlockedKeyReader {
  /** Every use of the keys (1 to 50) that is known here, in one look. */
  usesOf(...spkiSm3: readonly string[]): Promise<KeyUse[]>;
  find(spkiSm3: string): Promise<BlockedKeyRow | undefined>;
}

/** Whose certificates may stand over a key. */
export interface KeyClaim {
  readonly spkiSm3: string;
  /** `device/<id>`, or `certificate/<id>` for a key that only one certificate may ever name. */
  readonly holder: string;
}

export interface BlockedKeyWriter extends BlockedKeyReader {
  /**
   * Claims 1 to 50 keys, each once, for their holders. Of two transactions that claim one key at the same time the second
   * waits for the first. False when one of them is another holder's; the transaction must not be committed then.
   */
  claim(claims: readonly KeyClaim[]): Promise<boolean>;
  /** False when it is blocked already. Nothing unblocks a key. */
  insert(row: BlockedKeyRow): Promise<boolean>;
}
