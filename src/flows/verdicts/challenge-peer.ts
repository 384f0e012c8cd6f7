import { randomBytes } from '../../crypto/random.ts';
import type { DeviceCaller } from '../../domain/caller.ts';
import { KmcError } from '../../errors.ts';
import type { Clock, Database } from '../ports/database.ts';
import type { PeerChallengeRow } from '../ports/peer-challenges.ts';

const NONCE_OCTETS = 32;
const VALID_MS = 5 * 60_000;

/**
 * Makes a challenge that one gateway sends to another: the peer signs it with the key of the certificate that is named,
 * and `verifyChain` tells whether it did. It is good once and for five minutes (C.5).
 * @param peerSm3 `sm3:<hex>` of the peer's signing certificate.
 * @throws KmcError E_NOT_FOUND when there is no such certificate; E_USAGE for one's own.
 */
export async function challengePeer(
  ports: { readonly database: Database; readonly clock: Clock },
  caller: DeviceCaller,
  peerSm3: string,
): Promise<PeerChallengeRow> {
  if (peerSm3 === caller.certificateSm3) throw new KmcError('E_USAGE', 'A gateway does not challenge itself.');
  const peer = await ports.database.read((reader) => reader.certificates.findByDigest(peerSm3));
  if (peer?.deviceId === undefined) throw new KmcError('E_NOT_FOUND', 'There is no device with that certificate.');
  const row: PeerChallengeRow = {
    nonce: randomBytes(NONCE_OCTETS).toString('base64url'),
    challengerSm3: caller.certificateSm3,
    peerSm3,
    expiresAt: new Date(ports.clock.now().getTime() + VALID_MS),
  };
  await ports.database.transaction((tx) => tx.peerChallenges.insert(row));
  return row;
}
