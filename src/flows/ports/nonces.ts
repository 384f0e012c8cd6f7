/** Nonces that were used, so that none is accepted twice (enrolment-and-root-upgrade C.3). */

export interface NonceWriter {
  /**
   * Marks the nonce as used by that key until `expiresAt`. False when it was used before, however long ago, as long as
   * it was not purged. Call it only after the signature has verified, so that strangers cannot burn nonces.
   */
  use(keyId: string, nonce: string, expiresAt: Date): Promise<boolean>;
  /** Forgets at most `limit` nonces that expired before `before`; returns how many. */
  purge(before: Date, limit: number): Promise<number>;
}
