/** What the service knows of the certificates of a path besides their octets: issued, revoked, of a device in service. */
import { spkiSm3 } from '../../crypto/spki.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { statusReason, type VerdictReason } from '../../domain/verdict.ts';
import { sm3Fingerprint, type Certificate } from '../../x509/certificate.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { Reader } from '../ports/database.ts';

async function authorityReasons(reader: Reader, certificate: Certificate): Promise<VerdictReason[]> {
  const rows = await reader.authorities.findBySubject(certificate.subject.der);
  const row = rows.find((each) => each.certificate.equals(certificate.der));
  if (row === undefined) {
    return [statusReason('status-unknown', certificate, 'is a CA certificate that this service does not know')];
  }
  if (row.state !== 'revoked') return [];
  return [statusReason('authority-revoked', certificate, 'is of a certification authority that was revoked')];
}

/** Of an imported certificate perhaps only the line of the inventory is known: then the key must be that of the line. */
function isThis(row: CertificateRow, certificate: Certificate): boolean {
  if (row.status === 'reserved' || row.status === 'aborted') return false;
  return row.certificateSm3 === undefined
    ? row.spkiSm3 === spkiSm3(certificate.spki)
    : row.certificateSm3 === sm3Fingerprint(certificate.der);
}

async function deviceReasons(reader: Reader, row: CertificateRow, certificate: Certificate): Promise<VerdictReason[]> {
  const device = row.deviceId === undefined ? undefined : await reader.devices.find(row.deviceId);
  if (device === undefined || device.status === 'in-service') return [];
  return [statusReason('device-not-in-service', certificate, `is of a device that is ${device.status}`)];
}

function revocationReasons(row: CertificateRow, certificate: Certificate, at: Date): VerdictReason[] {
  const { revokedAt, invalidityDate, reason } = row;
  if (revokedAt === undefined || ((invalidityDate ?? revokedAt) > at && revokedAt > at)) return [];
  const since = `since ${signedTime(revokedAt)}`;
  return row.status === 'on-hold'
    ? [statusReason('on-hold', certificate, `is on hold ${since}`)]
    : [statusReason('revoked', certificate, `is revoked ${since} (${reason ?? 'unspecified'})`)];
}

async function endEntityReasons(reader: Reader, certificate: Certificate, at: Date): Promise<VerdictReason[]> {
  const issuers = await reader.authorities.findBySubject(certificate.issuer.der);
  const spoken = issuers.filter(({ inventory }) => inventory !== 'awaited');
  if (spoken.length === 0) {
    return [statusReason('status-unknown', certificate, 'is of an issuer of which this service has no inventory')];
  }
  for (const { id } of spoken) {
    const row = await reader.certificates.findBySerial(id, certificate.serialNumber);
    if (row === undefined || !isThis(row, certificate)) continue;
    return [...revocationReasons(row, certificate, at), ...(await deviceReasons(reader, row, certificate))];
  }
  return [statusReason('not-issued', certificate, 'stands in no inventory of its issuer')];
}

/**
 * Why certificates are not to be relied on at the time `at`, by what the service knows of them. A certificate that was
 * revoked later was good then, unless its key was lost before (invalidityDate). Whether a device is in service counts now.
 */
export async function statusReasons(
  reader: Reader,
  certificates: readonly Certificate[],
  at: Date,
): Promise<VerdictReason[]> {
  const reasons: VerdictReason[] = [];
  for (const certificate of certificates) {
    const isCa = certificate.basicConstraints?.ca === true;
    reasons.push(
      ...(isCa ? await authorityReasons(reader, certificate) : await endEntityReasons(reader, certificate, at)),
    );
  }
  return reasons;
}
