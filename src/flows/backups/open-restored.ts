/** The audit log of a restored instance: it begins with the events of the backup and goes on under a name of its own. */
import { sm3 } from '../../crypto/gm/sm3.ts';
import { parseNote, verifyNote } from '../../domain/audit/checkpoint.ts';
import { auditActor, type SystemCaller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { auditTreeRoot } from '../audit/tree/audit-tree-root.ts';
import type { Instance } from '../instance.ts';
import type { RestorationRow } from '../ports/backups.ts';

/**
 * Holds the restored events against the newest note that the signer of the log remembered, and appends the event that
 * gives the log its new name: the first one under it. It needs no key: nothing is unsealed yet.
 * @param note as the backup holds it; nothing where nothing was signed before it.
 * @throws KmcError E_INTEGRITY when the events are not those that were signed.
 */
export async function openRestoredLog(
  ports: Instance,
  { origin, previousOrigin }: Pick<RestorationRow, 'origin' | 'previousOrigin'>,
  note: string | undefined,
  caller: SystemCaller,
): Promise<void> {
  const signed = note === undefined ? undefined : await signedTree(ports, previousOrigin, note);
  const at = ports.clock.now();
  const id = newId('ev', at);
  await ports.database.transaction(async (tx) => {
    await tx.audit.append(
      {
        id,
        action: 'log.open',
        outcome: 'success',
        subjects: [{ type: 'log', id: origin }],
        actor: auditActor(caller),
        source: { node: ports.node },
        detail: { origin, previousOrigin, reason: 'restored', ...signed },
      },
      at,
    );
  });
}

async function signedTree(
  ports: Instance,
  origin: string,
  note: string,
): Promise<{ readonly checkpoint: string; readonly root: string; readonly size: number }> {
  const certificate = await ports.audit.certificate();
  const parsed = parseNote(note);
  const { size, root } = parsed.checkpoint;
  const isSigned =
    certificate !== undefined &&
    parsed.checkpoint.origin === origin &&
    verifyNote(parsed, { name: origin, signer: 'log', spki: parseCertificate(certificate).spki }) !== undefined;
  if (!isSigned || !(await auditTreeRoot(ports, size)).equals(root)) {
    throw new KmcError(
      'E_INTEGRITY',
      'The audit events of the backup are not those that were signed. Take another one.',
    );
  }
  return { checkpoint: `sm3:${sm3(Buffer.from(note)).toString('hex')}`, root: `sm3:${root.toString('hex')}`, size };
}
