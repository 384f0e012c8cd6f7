/** Nonces of signed requests: those that callers made and used, and those that the service offered (C.3). */

/** A nonce of the service, for one key and one request. */
export interface OfferedNonce {
  readonly nonce: string;
  readonly keyId: string;
  readonly offeredAt: Date;
  readonly expiresAt: Date;
}

export interface NonceWriter {
  /**
   * Marks the nonce as used by that key until `expiresAt`. False when it was used before, however long ago, as long as
   * it was not purged. Call it only after the signature has verified, so that strangers cannot burn nonces.
   */
  use(keyId: string, nonce: string, expiresAt: Date): Promise<boolean>;
  /** Keeps a nonce of the service; of the same key only the newest `most` stay. */
  offer(nonce: OfferedNonce, most: number): Promise<void>;
  /** Takes an offered nonce back. False when it was not offered to that key, is over, or was redeemed before. */
  redeem(keyId: string, nonce: string, now: Date): Promise<boolean>;
  /** Forgets at most `limit` nonces of each kind that expired before `before`; returns how many. */
  purge(before: Date, limit: number): Promise<number>;
}
