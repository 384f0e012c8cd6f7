/** What is kept of destroyed keys. */
export interface KeyTombstoneRow {
  readonly keyId: string;
  /** Canonical JSON (JCS). */
  readonly evidence: string;
  /** `sm3:<hex>` over it; stands in the audit event too. */
  readonly evidenceSm3: string;
  readonly destroyedAt: Date;
  readonly auditEvent: string;
}

export interface KeyTombstoneReader {
  find(keyId: string): Promise<KeyTombstoneRow | undefined>;
}

export interface KeyTombstoneWriter extends KeyTombstoneReader {
  /** @throws KmcError E_CONFLICT when the key has one already. */
  insert(row: KeyTombstoneRow): Promise<void>;
}
