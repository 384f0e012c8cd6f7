import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import { followCertificate } from '../keys/follow-certificate.ts';
import { certificateDetail } from './certificate-detail.ts';
import { certificateWithPair } from './certificate-pair.ts';
import type { RevocationPorts } from './revoke-certificate.ts';

/**
 * Takes a certificate, and the other half of its pair, off hold.
 * @returns the ids of the certificates that are good again.
 * @throws KmcError E_NOT_FOUND; E_STATE when it is not on hold, or changed meanwhile.
 */
export async function releaseCertificate(
  ports: RevocationPorts,
  caller: Caller,
  input: { readonly certificateId: string; readonly requestId?: string },
): Promise<readonly string[]> {
  const at = ports.clock.now();
  const pair = await ports.database.read((reader) => certificateWithPair(reader, input.certificateId));
  if (pair[0].status !== 'on-hold') throw new KmcError('E_STATE', 'The certificate is not on hold.');
  const held = pair.filter((row) => row.status === 'on-hold').map((row) => ({ row, auditEvent: newId('ev', at) }));
  const by = {
    actor: auditActor(caller),
    source: { node: ports.node, ...(input.requestId === undefined ? {} : { request: input.requestId }) },
  };
  return await ports.database.transaction(async (tx) => {
    for (const { row, auditEvent } of held) {
      await tx.audit.append(
        {
          id: auditEvent,
          action: 'certificate.unsuspend',
          outcome: 'success',
          subjects: [{ type: 'certificate', id: row.id }],
          terms: [
            { type: 'authority', id: row.authorityId },
            ...(row.deviceId === undefined ? [] : [{ type: 'device', id: row.deviceId }]),
          ],
          ...by,
          detail: await certificateDetail(tx, row),
        },
        at,
      );
      if (!(await tx.certificates.release(row.id, auditEvent))) {
        throw new KmcError('E_STATE', 'The certificate changed meanwhile: look at it again.');
      }
      await followCertificate(tx, row, { act: 'resume', at, certificateEvent: auditEvent, ...by });
    }
    return held.map(({ row }) => row.id);
  });
}
