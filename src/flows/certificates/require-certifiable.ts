import { KmcError } from '../../errors.ts';
import type { Reader } from '../ports/database.ts';

/** Who already holds the key, as far as that is allowed to go on. */
export interface KnownHolder {
  /** The device whose own certificates may stand over the key. */
  readonly deviceId?: string;
}

/**
 * Refuses a public key that may not be certified for this holder: blocked for good, of a certification authority or of a
 * key of this service, escrowed (only the service gives those certificates), of a person, of another device, or of a
 * certificate that was revoked.
 * @param spki `sm3:<hex>` of the subjectPublicKeyInfo.
 * @throws KmcError E_KEY_BLOCKED, with one text for every reason.
 */
export async function requireCertifiable(reader: Reader, spki: string, holder: KnownHolder = {}): Promise<void> {
  const certificates = await reader.certificates.findByKey(spki);
  const device = await reader.devices.findByKey(spki);
  const taken =
    certificates.some(
      (row) => row.status === 'revoked' || row.deviceId === undefined || row.deviceId !== holder.deviceId,
    ) ||
    (device !== undefined && device.id !== holder.deviceId) ||
    (await reader.blockedKeys.find(spki)) !== undefined ||
    (await reader.authorities.findByKey(spki)).length > 0 ||
    (await reader.keystoreRows.caKeyBySpki(spki)) !== undefined ||
    (await reader.escrowedKeys.findByKey(spki)) !== undefined ||
    (await reader.people.findByKey(spki)) !== undefined;
  if (taken) throw new KmcError('E_KEY_BLOCKED', 'This public key may not be certified here: make a new key pair.');
}
