/** The part of every revocation that stands in a transaction: one certificate, its event, and what becomes of its key. */
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { KmcError } from '../../errors.ts';
import { followCertificate } from '../keys/follow-certificate.ts';
import type { CertificateRow, RevocationReason } from '../ports/certificates.ts';
import type { Reader, Transaction } from '../ports/database.ts';
import { certificateDetail } from './certificate-detail.ts';

export interface Revocation extends Pick<AuditEventInput, 'actor' | 'source' | 'approvals'> {
  readonly reason: RevocationReason;
  /** When the key is believed to have been lost (RFC 5280 5.3.2). */
  readonly invalidityDate: Date | undefined;
  /** Id of the event, made before the transaction. */
  readonly auditEvent: string;
  readonly at: Date;
}

/** A revoked key is never certified again for these reasons. */
const BLOCKS_KEY: readonly RevocationReason[] = ['keyCompromise', 'cACompromise', 'aACompromise'];

/** True when a revocation for this reason still changes something about the certificate. */
export function isRevocable({ status }: CertificateRow, reason: RevocationReason): boolean {
  return status === 'good' || (status === 'on-hold' && reason !== 'certificateHold');
}

/**
 * Refuses the certificate of a person: revoked alone, it would leave the person's account as it is.
 * @throws KmcError E_USAGE.
 */
export async function requireNoPersons(reader: Reader, rows: readonly CertificateRow[]): Promise<void> {
  const administrators = (await reader.authorities.list({ kind: 'administrator' })).map(({ id }) => id);
  const row = rows.find(
    ({ authorityId, profile }) => administrators.includes(authorityId) && profile === 'administrator',
  );
  if (row === undefined) return;
  throw new KmcError('E_USAGE', `${row.id} is a person's: ask for person.replace-certificate, or suspend the person.`);
}

/**
 * Revokes one certificate as it was read, or puts it on hold (reason certificateHold).
 * @throws KmcError E_STATE when it changed meanwhile.
 */
export async function recordRevocation(tx: Transaction, row: CertificateRow, revocation: Revocation): Promise<void> {
  const { reason, invalidityDate, auditEvent, at, actor, source, approvals } = revocation;
  const given = approvals === undefined ? {} : { approvals };
  await tx.audit.append(
    {
      id: auditEvent,
      action: reason === 'certificateHold' ? 'certificate.suspend' : 'certificate.revoke',
      outcome: 'success',
      subjects: [{ type: 'certificate', id: row.id }],
      terms: [
        { type: 'authority', id: row.authorityId },
        ...(row.deviceId === undefined ? [] : [{ type: 'device', id: row.deviceId }]),
      ],
      actor,
      source,
      ...given,
      detail: { ...(await certificateDetail(tx, row)), from: row.status, reason },
    },
    at,
  );
  const from = row.status === 'on-hold' ? 'on-hold' : 'good';
  const won = await tx.certificates.revoke(row.id, from, { revokedAt: at, reason, invalidityDate }, auditEvent);
  if (!won) throw new KmcError('E_STATE', 'The certificate changed meanwhile: look at it again.');
  const act = reason === 'certificateHold' ? 'suspend' : 'deactivate';
  await followCertificate(tx, row, { act, at, certificateEvent: auditEvent, reason, actor, source, ...given });
  if (!BLOCKS_KEY.includes(reason)) return;
  await tx.blockedKeys.insert({ spkiSm3: row.spkiSm3, reason, blockedAt: at, auditEvent });
}
