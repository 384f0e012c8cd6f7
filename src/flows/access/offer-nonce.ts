import { randomBytes } from '../../crypto/random.ts';
import type { Clock, Database } from '../ports/database.ts';
import { certificateDigest } from './signer.ts';

/** Octets of a nonce, and how long it may be redeemed. */
const NONCE_OCTETS = 24;
const NONCE_SECONDS = 300;
/** One signer rarely has more calls under way; strangers cannot fill the table in its name. */
const MOST_OF_A_KEY = 16;

export interface NonceOffer {
  /** base64url. */
  readonly nonce: string;
  readonly expiresAt: Date;
}

/**
 * Makes a nonce that the holder of a certificate may sign one request with, within five minutes. For a certificate that
 * is not known here it makes one that nobody can redeem, so that the answer tells a stranger nothing.
 * @param keyid as in a signature: `sm3:` or `sha256:` and base64url of that digest.
 */
export async function offerNonce(
  ports: { readonly database: Database; readonly clock: Clock },
  keyid: string,
): Promise<NonceOffer> {
  const offeredAt = ports.clock.now();
  const expiresAt = new Date(offeredAt.getTime() + NONCE_SECONDS * 1000);
  const nonce = randomBytes(NONCE_OCTETS).toString('base64url');
  const digest = certificateDigest(keyid);
  const isKnown = await ports.database.read(
    async (reader) =>
      (await reader.certificates.findByDigest(digest)) !== undefined ||
      (await reader.people.findByCertificate(digest)) !== undefined,
  );
  if (isKnown) {
    const offered = { nonce, keyId: keyid, offeredAt, expiresAt };
    await ports.database.transaction((tx) => tx.nonces.offer(offered, MOST_OF_A_KEY));
  }
  return { nonce, expiresAt };
}
