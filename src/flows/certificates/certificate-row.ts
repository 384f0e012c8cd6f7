import { createDigests } from '../../crypto/digests.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { PreparedCertificate } from './prepare-certificate.ts';

/** What the flow knows of a certificate that the certificate does not say. */
export interface CertificateRowFacts {
  readonly id: string;
  readonly authorityId: string;
  readonly createdAt: Date;
  readonly auditEvent: string;
  readonly pairId?: string;
  readonly deviceId?: string;
}

/** The inventory row of a certificate that was just signed. `certificate` is DER. */
export function issuedCertificateRow(
  prepared: PreparedCertificate,
  certificate: Buffer,
  row: CertificateRowFacts,
): CertificateRow {
  const { profile, facts } = prepared;
  const { serialNumber, subject, spki, notBefore, notAfter } = prepared.linted.certificate;
  const digests = createDigests(certificate);
  return {
    id: row.id,
    authorityId: row.authorityId,
    serialNumber,
    status: 'good',
    subject: subject.der,
    spkiSm3: spkiSm3(spki),
    profile,
    notBefore,
    notAfter,
    certificate,
    certificateSm3: digests.sm3,
    certificateSha256: digests.sha256,
    source: 'issued',
    pairId: row.pairId,
    deviceId: row.deviceId,
    shard: facts.shard,
    revokedAt: undefined,
    reason: undefined,
    invalidityDate: undefined,
    createdAt: row.createdAt,
    lastAuditEvent: row.auditEvent,
  };
}
