import type { KekPurpose, KeyEncryptionKey } from '../../crypto/engine.ts';
import { kekPeriod, requireOriginatorPeriod } from '../../domain/crypto-period.ts';
import type { Instance } from '../instance.ts';

/**
 * The key-encryption key that seals now, within its crypto-period. The service replaces it in good time by itself, so a
 * refusal means that this did not happen.
 * @throws KmcError E_SEALED; E_PERIOD after the end of the period.
 */
export function sealingKek(
  { keystore, policies, clock }: Pick<Instance, 'keystore' | 'policies' | 'clock'>,
  purpose: KekPurpose,
): KeyEncryptionKey {
  const kek = keystore.currentKek(purpose);
  const createdAt = keystore.kekCreatedAt(kek);
  const now = clock.now();
  // Another node may have made it by a clock that is a little ahead.
  const at = createdAt !== undefined && createdAt > now ? createdAt : now;
  if (createdAt !== undefined) requireOriginatorPeriod(policies.cryptoPeriods[kekPeriod(purpose)], createdAt, at);
  return kek;
}
