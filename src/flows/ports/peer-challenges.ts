/** Challenges between two gateways that have not been answered yet (enrolment-and-root-upgrade C.5). */

export interface PeerChallengeRow {
  /** base64url of 32 octets. */
  readonly nonce: string;
  /** `sm3:<hex>` of the signing certificates: of who asks, and of who is to answer. */
  readonly challengerSm3: string;
  readonly peerSm3: string;
  readonly expiresAt: Date;
}

export interface PeerChallengeReader {
  find(nonce: string): Promise<PeerChallengeRow | undefined>;
}

export interface PeerChallengeWriter extends PeerChallengeReader {
  insert(row: PeerChallengeRow): Promise<boolean>;
  /** Takes the challenge away: true for the one who did. */
  take(nonce: string): Promise<boolean>;
  /** Forgets at most `limit` that were over before `before`. */
  purge(before: Date, limit: number): Promise<number>;
}
