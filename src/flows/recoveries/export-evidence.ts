import { evidenceText } from '../../domain/recovery-evidence.ts';
import { readApprovalFile } from '../../domain/approval/file.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { exportApproval } from '../approvals/export-approval.ts';
import { requireCosigned } from '../audit/checkpoints/cosigned-note.ts';
import { proveInclusion } from '../audit/tree/prove-inclusion.ts';
import { authorityChain } from '../enrolments/enrolment-answer.ts';
import type { Instance } from '../instance.ts';
import type { Reader } from '../ports/database.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';
import type { RecoveryRow } from '../ports/recoveries.ts';

/** Seconds until the next checkpoint stands. */
const RETRY_AFTER = 2;

interface Place {
  readonly canon: Buffer;
  readonly index: number;
  readonly size: number;
  readonly note: string;
}

/**
 * The evidence file of a judicial recovery, which `kmc key verify-evidence` needs nothing else for.
 * @throws KmcError E_NOT_FOUND (no such judicial recovery); E_PENDING with Retry-After until a signed checkpoint of the
 * audit log holds the event; E_INTEGRITY.
 */
export async function exportEvidence(ports: Instance, recoveryId: string): Promise<string> {
  const { row, key, certificate, chain, place } = await ports.database.snapshot(async (reader) => {
    const found = await judicialRecovery(reader, recoveryId);
    await requireCosigned(reader, found.row.auditEvent, ports.policies.auditCosignatures);
    return { ...found, ...(await certificateOf(reader, found.key)), place: await placeOf(reader, found.row) };
  });
  const logCertificate = await ports.audit.certificate();
  if (place === undefined || logCertificate === undefined) {
    throw new KmcError('E_PENDING', 'The audit log has no signed checkpoint with the recovery yet. Ask again.', {
      retryAfter: RETRY_AFTER,
    });
  }
  const proof = await proveInclusion(ports, place);
  return evidenceText({
    recovery: row.id,
    case: row.caseId ?? '',
    recoveredAt: signedTime(row.recoveredAt),
    keyState: row.keyState,
    certificate: certificate.toString('base64'),
    chain: chain.map((item) => item.toString('base64')),
    evidenceCertificate: row.recipientCertificate?.toString('base64') ?? '',
    envelopedKey: row.envelopedKey.toString('base64'),
    approvals: readApprovalFile(await exportApproval(ports, row.requestId ?? key.id)),
    audit: {
      event: place.canon.toString('base64'),
      index: String(place.index),
      proof: proof.map((hash) => hash.toString('base64')),
      checkpoint: place.note,
      logCertificate: logCertificate.toString('base64'),
    },
  });
}

async function judicialRecovery(
  reader: Reader,
  id: string,
): Promise<{ readonly row: RecoveryRow; readonly key: EscrowedKeyRow }> {
  const row = await reader.recoveries.find(id);
  const key = row === undefined ? undefined : await reader.escrowedKeys.find(row.keyId);
  if (row?.kind !== 'judicial' || key === undefined) {
    throw new KmcError('E_NOT_FOUND', 'There is no judicial recovery of that id.');
  }
  return { row, key };
}

async function certificateOf(
  reader: Reader,
  { owner }: EscrowedKeyRow,
): Promise<{ readonly certificate: Buffer; readonly chain: readonly Buffer[] }> {
  const found =
    owner === undefined
      ? undefined
      : await reader.certificates.findBySerial(owner.authorityId, owner.certificateSerial);
  if (found?.certificate === undefined || owner === undefined) {
    throw new KmcError('E_INTEGRITY', 'The certificate of a recovered key is not there. Check the database.');
  }
  return { certificate: found.certificate, chain: await authorityChain(reader, owner.authorityId) };
}

/** Where the event stands, once a signed checkpoint holds it. */
async function placeOf({ audit }: Reader, { auditEvent }: RecoveryRow): Promise<Place | undefined> {
  const event = await audit.find(auditEvent);
  const newest = await audit.newestCheckpoint();
  if (event?.index === undefined || newest === undefined || newest.size <= event.index) return undefined;
  return { canon: event.canon, index: event.index, size: newest.size, note: newest.note };
}
