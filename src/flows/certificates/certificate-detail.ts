import type { AuditEventInput } from '../../domain/audit/event.ts';
import { signedTime } from '../../domain/signed-body.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { Reader } from '../ports/database.ts';

/**
 * What the events of a certificate say of it, so that it is counted where it belongs: authority with the algorithm of its
 * key, serial number, profile, end; and of a device's certificate region and registration authority.
 */
export async function certificateDetail(
  reader: Pick<Reader, 'authorities' | 'devices'>,
  row: CertificateRow,
): Promise<AuditEventInput['detail']> {
  const authority = await reader.authorities.find(row.authorityId);
  const device = row.deviceId === undefined ? undefined : await reader.devices.find(row.deviceId);
  return {
    authority: row.authorityId,
    serial: row.serialNumber,
    profile: row.profile,
    notAfter: signedTime(row.notAfter),
    ...(authority === undefined ? {} : { algorithm: authority.algorithm }),
    ...(device === undefined ? {} : { region: device.region, registrationAuthority: device.registrationAuthority }),
  };
}
