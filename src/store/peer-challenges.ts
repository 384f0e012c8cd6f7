import type { PeerChallengeRow, PeerChallengeWriter } from '../flows/ports/peer-challenges.ts';
import type { Sql } from './sql.ts';
import { Table, text, time, won } from './table.ts';

const CHALLENGES = new Table<PeerChallengeRow>('peer_challenges', {
  nonce: text,
  challengerSm3: text,
  peerSm3: text,
  expiresAt: time,
});

export class StoredPeerChallenges implements PeerChallengeWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(nonce: string): Promise<PeerChallengeRow | undefined> {
    return CHALLENGES.find(this.#sql, 'where nonce = ?', nonce);
  }

  insert(row: PeerChallengeRow): Promise<boolean> {
    return CHALLENGES.insert(this.#sql, row);
  }

  take(nonce: string): Promise<boolean> {
    return won(this.#sql.run('delete from peer_challenges where nonce = ?', nonce));
  }

  purge(before: Date, limit: number): Promise<number> {
    return this.#sql.run(
      `delete from peer_challenges where nonce in (
         select nonce from peer_challenges where expires_at < ? order by expires_at limit ?)`,
      time.encode(before),
      limit,
    );
  }
}
