import { KmcError } from '../../errors.ts';
import type { Reader } from '../ports/database.ts';

/** Who already holds the key, as far as that is allowed to go on. */
export interface KnownHolder {
  /** The device whose own certificates may stand over the key. */
  readonly deviceId?: string;
}

/**
 * Refuses a public key that may not be certified for this holder: blocked for good, of a certification authority, of a
 * person, of another device, or of a certificate that was revoked.
 * @param spki `sm3:<hex>` of the subjectPublicKeyInfo.
 * @throws KmcError E_KEY_BLOCKED, with one text for every reason.
 */
export async function requireCertifiable(reader: Reader, spki: string, holder: KnownHolder = {}): Promise<void> {
  const blocked = await reader.blockedKeys.find(spki);
  const certificates = await reader.certificates.findByKey(spki);
  const foreign = certificates.some(
    (row) => row.status === 'revoked' || holder.deviceId === undefined || row.deviceId !== holder.deviceId,
  );
  const device = await reader.devices.findByKey(spki);
  const ofOther = device !== undefined && device.id !== holder.deviceId;
  const authorities = await reader.authorities.findByKey(spki);
  const person = await reader.people.findByKey(spki);
  if (blocked === undefined && !foreign && !ofOther && authorities.length === 0 && person === undefined) return;
  throw new KmcError('E_KEY_BLOCKED', 'This public key may not be certified here: make a new key pair.');
}
