import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import type { CertificateRow, RevocationReason } from '../ports/certificates.ts';
import type { Clock, Database } from '../ports/database.ts';
import { certificateWithPair } from './certificate-pair.ts';
import { isRevocable, recordRevocation, requireNoPersons } from './record-revocation.ts';

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

function requireRevocable(row: CertificateRow, reason: RevocationReason): void {
  if (row.status === 'revoked') throw new KmcError('E_STATE', 'The certificate is revoked already.');
  if (row.status === 'on-hold' && reason === 'certificateHold') {
    throw new KmcError('E_STATE', 'The certificate is on hold already: release it, or revoke it for good.');
  }
}

/**
 * Revokes a certificate, or puts it on hold (reason certificateHold), together with the other half of its pair: a gateway
 * whose signing certificate is void must not be reached under its encryption certificate either.
 * @returns the ids of the certificates that are now revoked or on hold.
 * @throws KmcError E_NOT_FOUND; E_USAGE for the certificate of a person; E_STATE when it is revoked already or changed meanwhile; E_TIME for an invalidityDate that
 * is yet to come.
 */
export async function revokeCertificate(
  ports: RevocationPorts,
  caller: Caller,
  input: RevocationInput,
): Promise<readonly string[]> {
  const { reason, invalidityDate, requestId } = input;
  const at = ports.clock.now();
  if (invalidityDate !== undefined && invalidityDate > at) {
    throw new KmcError('E_TIME', 'The key cannot have been lost in the future: state when it was.');
  }
  const pair = await ports.database.read(async (reader) => {
    const rows = await certificateWithPair(reader, input.certificateId);
    await requireNoPersons(reader, rows);
    return rows;
  });
  requireRevocable(pair[0], reason);
  const revoked = pair.filter((row) => isRevocable(row, reason)).map((row) => ({ row, auditEvent: newId('ev', at) }));
  const actor = auditActor(caller);
  const source = { node: ports.node, ...(requestId === undefined ? {} : { request: requestId }) };
  return await ports.database.transaction(async (tx) => {
    for (const { row, auditEvent } of revoked) {
      await recordRevocation(tx, row, { reason, invalidityDate, auditEvent, at, actor, source });
    }
    return revoked.map(({ row }) => row.id);
  });
}
