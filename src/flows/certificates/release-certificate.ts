import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import type { RevocationPorts } from './revoke-certificate.ts';

/**
 * Takes a certificate, and the other half of its pair, off hold.
 * @returns the ids of the certificates that are good again.
 * @throws KmcError E_NOT_FOUND; E_STATE when it is not on hold.
 */
export async function releaseCertificate(
  ports: RevocationPorts,
  caller: Caller,
  input: { readonly certificateId: string; readonly requestId?: string },
): Promise<readonly string[]> {
  const at = ports.clock.now();
  return await ports.database.transaction(async (tx) => {
    const row = await tx.certificates.find(input.certificateId);
    if (row === undefined) throw new KmcError('E_NOT_FOUND', 'There is no certificate of that id.');
    const pair = row.pairId === undefined ? [row] : await tx.certificates.list({ pairId: row.pairId }, { limit: 10 });
    const held = pair.filter((each) => each.status === 'on-hold');
    if (row.status !== 'on-hold') throw new KmcError('E_STATE', 'The certificate is not on hold.');
    for (const each of held) {
      const auditEvent = newId('ev', at);
      await tx.audit.append(
        {
          id: auditEvent,
          action: 'certificate.unsuspend',
          outcome: 'success',
          subjects: [{ type: 'certificate', id: each.id }],
          terms: [{ type: 'authority', id: each.authorityId }],
          actor: auditActor(caller),
          source: { node: ports.node, ...(input.requestId === undefined ? {} : { request: input.requestId }) },
          detail: { authority: each.authorityId, serial: each.serialNumber, profile: each.profile },
        },
        at,
      );
      if (!(await tx.certificates.release(each.id, auditEvent))) {
        throw new KmcError('E_STATE', 'The certificate changed meanwhile: look at it again.');
      }
    }
    return held.map((each) => each.id);
  });
}
