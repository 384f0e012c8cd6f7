import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import type { CertificateRow, RevocationReason } from '../ports/certificates.ts';
import type { Clock, Database, Transaction } from '../ports/database.ts';

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

function revocable(row: CertificateRow | undefined, reason: RevocationReason): asserts row is CertificateRow {
  if (row === undefined || row.status === 'reserved' || row.status === 'aborted') {
    throw new KmcError('E_NOT_FOUND', 'There is no certificate of that id.');
  }
  if (row.status === 'revoked') throw new KmcError('E_STATE', 'The certificate is revoked already.');
  if (row.status === 'on-hold' && reason === 'certificateHold') {
    throw new KmcError('E_STATE', 'The certificate is on hold already: release it, or revoke it for good.');
  }
}

async function revokeOne(
  tx: Transaction,
  ports: RevocationPorts,
  caller: Caller,
  input: RevocationInput,
  row: CertificateRow,
  at: Date,
): Promise<void> {
  const auditEvent = newId('ev', at);
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
      source: { node: ports.node, ...(input.requestId === undefined ? {} : { request: input.requestId }) },
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
 * @throws KmcError E_NOT_FOUND; E_STATE when it is revoked already or changed meanwhile.
 */
export async function revokeCertificate(
  ports: RevocationPorts,
  caller: Caller,
  input: RevocationInput,
): Promise<readonly string[]> {
  const at = ports.clock.now();
  return await ports.database.transaction(async (tx) => {
    const row = await tx.certificates.find(input.certificateId);
    revocable(row, input.reason);
    const pair =
      row.pairId === undefined
        ? []
        : (await tx.certificates.list({ pairId: row.pairId }, { limit: 10 })).filter(
            (other) => other.id !== row.id && (other.status === 'good' || other.status === 'on-hold'),
          );
    const all = [row, ...pair];
    for (const each of all) await revokeOne(tx, ports, caller, input, each, at);
    return all.map((each) => each.id);
  });
}
