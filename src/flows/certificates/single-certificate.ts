/** A certificate that is not half of a pair: signed before the transaction that records it. */
import { spkiSm3 } from '../../crypto/spki.ts';
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { newId } from '../../domain/id.ts';
import { newSerialNumber } from '../../domain/serial-number.ts';
import type { GeneralName } from '../../x509/extensions/general-name.ts';
import { openAuthority, requireSigningAuthority, type SignedByAuthority } from '../authorities/issuing-authority.ts';
import { requireIssuingPeriod } from '../authorities/require-issuing-period.ts';
import type { Instance } from '../instance.ts';
import type { CertificateRow } from '../ports/certificates.ts';
import type { Transaction } from '../ports/database.ts';
import { certificateDetail } from './certificate-detail.ts';
import { issuedCertificateRow } from './certificate-row.ts';
import { prepareCertificate } from './prepare-certificate.ts';
import { claimKeys, requireCertifiable } from './require-certifiable.ts';
import { signCertificate } from './sign-certificate.ts';

export type SingleCertificatePorts = Pick<Instance, 'database' | 'engine' | 'keystore' | 'policies'>;

export interface SingleCertificateInput {
  readonly authorityId: string;
  readonly profile: string;
  /** Name, DER. */
  readonly subject: Buffer;
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly subjectAltName?: readonly GeneralName[];
  /** What it is to its authority; a certificate like others unless told. */
  readonly as?: SignedByAuthority;
}

export type SingleCertificate = CertificateRow & { readonly certificate: Buffer };

/**
 * Signs the certificate. Until `insertSingleCertificate` has committed nobody has it, so a failure leaves nothing behind
 * but a serial number that was never seen.
 * @throws KmcError E_NOT_FOUND, E_STATE, E_SEALED, E_POLICY, E_LINT; E_KEY_BLOCKED for a key that may not be certified;
 * E_PERIOD when the key of the authority issues no longer.
 */
export async function signSingleCertificate(
  ports: SingleCertificatePorts,
  input: SingleCertificateInput,
  at: Date,
): Promise<SingleCertificate> {
  const { subject, spki, subjectAltName } = input;
  const authority = await openAuthority(
    ports,
    await ports.database.read(async (reader) => {
      await requireCertifiable(reader, spkiSm3(spki));
      return await requireSigningAuthority(reader, input.authorityId, input.as ?? 'certificates');
    }),
  );
  requireIssuingPeriod(ports, authority.row, at);
  const facts = {
    serialNumber: newSerialNumber(),
    issuer: authority.issuer,
    subject,
    spki,
    notBefore: at,
    ...(subjectAltName === undefined ? {} : { subjectAltName }),
  };
  const prepared = prepareCertificate(ports.policies, input.profile, facts, authority.certificate);
  const certificate = await signCertificate(authority.signer, prepared.linted, ports.policies.issuance);
  const ids = { id: newId('cert', at), auditEvent: newId('ev', at) };
  const row = issuedCertificateRow(prepared, certificate, { ...ids, authorityId: input.authorityId, createdAt: at });
  return { ...row, certificate };
}

/**
 * Records the certificate and its event.
 * @throws KmcError E_KEY_BLOCKED when another request for the same key came first.
 */
export async function insertSingleCertificate(
  tx: Transaction,
  row: SingleCertificate,
  by: Pick<AuditEventInput, 'actor' | 'source' | 'approvals'>,
): Promise<void> {
  await claimKeys(tx, new Map([[row.spkiSm3, { certificateId: row.id }]]));
  await tx.audit.append(
    {
      id: row.lastAuditEvent,
      action: 'certificate.issue',
      outcome: 'success',
      subjects: [{ type: 'certificate', id: row.id }],
      terms: [{ type: 'authority', id: row.authorityId }],
      ...by,
      detail: { ...(await certificateDetail(tx, row)), kid: row.spkiSm3 },
    },
    row.createdAt,
  );
  await tx.certificates.insertAll([row]);
}
