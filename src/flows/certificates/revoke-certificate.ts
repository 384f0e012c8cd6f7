import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import type { CertificateRow, RevocationReason } from '../ports/certificates.ts';
import type { Clock, Database, Transaction } from '../ports/database.ts';
import { certificateWithPair } from './certificate-pair.ts';

export interface RevocationInput {
  readonly certificateId: string;
  readonly reason: RevocationReason;
  /** When the key is believed to have been lost (RFC 5280 5.3.2). */
  readonly invalidityDate?: Date;
  /** The id of the HTTP request, for the event. */
  readonly requestId?: string;
}

export interface RevocationPorts {
  readonly database: Database;
  readonly clock: Clock;
  readonly node: string;
}

/** A revoked key is never certified again for these reasons. */
const BLOCKS_KEY: readonly RevocationReason[] = ['keyCompromise', 'cACompromise', 'aACompromise'];

function requireRevocable(row: CertificateRow, reason: RevocationReason): void {
  if (row.status === 'revoked') throw new KmcError('E_STATE', 'The certificate is revoked already.');
  if (row.status === 'on-hold' && reason === 'certificateHold') {
    throw new KmcError('E_STATE', 'The certificate is on hold already: release it, or revoke it for good.');
  }
}

/** What a revocation for this reason still changes. */
function isAffected({ status }: CertificateRow, reason: RevocationReason): boolean {
  return status === 'good' || (status === 'on-hold' && reason !== 'certificateHold');
}

interface Revocation {
  readonly row: CertificateRow;
  readonly auditEvent: string;
  readonly at: Date;
}

async function revokeOne(
  tx: Transaction,
  { node }: RevocationPorts,
  caller: Caller,
  input: RevocationInput,
  { row, auditEvent, at }: Revocation,
): Promise<void> {
  const { reason, invalidityDate } = input;
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
      actor: auditActor(caller),
      source: { node, ...(input.requestId === undefined ? {} : { request: input.requestId }) },
      detail: { authority: row.authorityId, serial: row.serialNumber, profile: row.profile, reason },
    },
    at,
  );
  const from = row.status === 'on-hold' ? 'on-hold' : 'good';
  const won = await tx.certificates.revoke(row.id, from, { revokedAt: at, reason, invalidityDate }, auditEvent);
  if (!won) throw new KmcError('E_STATE', 'The certificate changed meanwhile: look at it again.');
  if (!BLOCKS_KEY.includes(reason)) return;
  await tx.blockedKeys.insert({ spkiSm3: row.spkiSm3, reason, blockedAt: at, auditEvent });
}

/**
 * Revokes a certificate, or puts it on hold (reason certificateHold), together with the other half of its pair: a gateway
 * whose signing certificate is void must not be reached under its encryption certificate either.
 * @returns the ids of the certificates that are now revoked or on hold.
 * @throws KmcError E_NOT_FOUND; E_STATE when it is revoked already or changed meanwhile; E_TIME for an invalidityDate that
 * is yet to come.
 */
export async function revokeCertificate(
  ports: RevocationPorts,
  caller: Caller,
  input: RevocationInput,
): Promise<readonly string[]> {
  const at = ports.clock.now();
  if (input.invalidityDate !== undefined && input.invalidityDate > at) {
    throw new KmcError('E_TIME', 'The key cannot have been lost in the future: state when it was.');
  }
  const pair = await ports.database.read((reader) => certificateWithPair(reader, input.certificateId));
  requireRevocable(pair[0], input.reason);
  const revocations = pair
    .filter((row) => isAffected(row, input.reason))
    .map((row): Revocation => ({ row, auditEvent: newId('ev', at), at }));
  return await ports.database.transaction(async (tx) => {
    for (const revocation of revocations) await revokeOne(tx, ports, caller, input, revocation);
    return revocations.map(({ row }) => row.id);
  });
}
