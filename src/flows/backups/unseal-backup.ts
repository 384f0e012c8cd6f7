import type { CryptoEngine } from '../../crypto/engine.ts';
import { KmcError } from '../../errors.ts';
import type { Participant } from '../ceremonies/participant.ts';
import type { KeyRing } from '../keystore/key-ring.ts';
import { ShareSession } from '../keystore/share-session.ts';
import { transferShare } from '../keystore/transfer-share.ts';
import { openBackupRing, type BegunBackup } from './read-backup.ts';

/**
 * Opens the keys of a backup with the shares that its custodians hold; no instance is needed.
 * @returns the ring with the backup key; the caller wipes it.
 * @throws KmcError E_SHARES_FEW; E_SHARE_SET (shares of another set, as after a re-sharing: it needs those of its time);
 * E_SHARE_BAD, E_FORBIDDEN (holds no share of this set), E_INTEGRITY.
 */
export async function unsealBackup(
  engine: CryptoEngine,
  begun: BegunBackup,
  participants: readonly Participant[],
  now: Date,
): Promise<KeyRing> {
  const session = await ShareSession.open(engine, begun.seal, now);
  try {
    for (const { key, shares } of participants) {
      const sealed = shares.service;
      if (sealed === undefined) continue;
      if (sealed.setId !== begun.header.set) throw otherSet();
      const share = await transferShare(engine, {
        holder: key,
        holderCertificateSm3: Buffer.from(sealed.certificate.slice('sm3:'.length), 'hex'),
        share: sealed.ciphertext,
        sessionSpki: session.spki,
      });
      const unsealKey = await session.add(sealed.person, share, now);
      if (unsealKey === undefined) continue;
      try {
        return await openBackupRing(engine, begun, unsealKey);
      } finally {
        engine.destroySecret(unsealKey);
      }
    }
  } finally {
    session.wipe();
  }
  const { threshold } = begun.header;
  throw new KmcError('E_SHARES_FEW', `The backup opens with the shares of ${threshold} custodians; fewer were given.`);
}

function otherSet(): KmcError {
  return new KmcError('E_SHARE_SET', 'The share is of another set than the backup. Bring the shares of its time.');
}
