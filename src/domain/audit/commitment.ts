/**
 * Commitments to personal or easily guessed values (addresses, names): the log holds SM3(0x10 || salt || value), the
 * opening {salt, value} stands beside it and can be erased by law without touching the tree (audit-log 3.10).
 */
import { sm3 } from '../../crypto/gm/sm3.ts';
import { randomBytes } from '../../crypto/random.ts';

const COMMITMENT_PREFIX = Buffer.from([0x10]);
const SALT_OCTETS = 16;

export interface Opening {
  /** 16 random octets, one salt for each value. */
  readonly salt: Buffer;
  readonly value: string;
}

/** Commits to `value` (its UTF-8 octets) under a fresh salt. The commitment is base64url without padding. */
export function commitTo(value: string): { commitment: string; opening: Opening } {
  const opening = { salt: randomBytes(SALT_OCTETS), value };
  return { commitment: commitmentOf(opening), opening };
}

/** The commitment that an opening opens: base64url of SM3(0x10 || salt || value). */
export function commitmentOf({ salt, value }: Opening): string {
  return sm3(COMMITMENT_PREFIX, salt, Buffer.from(value, 'utf8')).toString('base64url');
}
