/** What the imports of supervised authorities share: who imports, the authority with its newest CRL, and the event. */
import type { AuditEventInput } from '../../domain/audit/event.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate, type Certificate } from '../../x509/certificate.ts';
import type { Clock, Database } from '../ports/database.ts';
import type { SupervisedAuthorityRow, SupervisedCrlRow } from '../ports/supervised-authorities.ts';

export interface SupervisionPorts {
  readonly database: Database;
  readonly clock: Clock;
  readonly node: string;
}

export interface SupervisedScene {
  readonly row: SupervisedAuthorityRow;
  readonly authority: Certificate;
  readonly newest: SupervisedCrlRow | undefined;
}

/** @throws KmcError E_NOT_FOUND; E_STATE for one whose supervision has ended. */
export async function supervisedScene({ database }: SupervisionPorts, id: string): Promise<SupervisedScene> {
  return await database.read(async ({ supervisedAuthorities: reader }) => {
    const row = await reader.find(id);
    if (row === undefined)
      throw new KmcError('E_NOT_FOUND', 'No certification authority of that id is supervised here.');
    if (row.state !== 'active') throw new KmcError('E_STATE', 'The supervision of that authority has ended.');
    return { row, authority: parseCertificate(row.certificate), newest: await reader.newestCrl(id) };
  });
}

/** The event of an import. `id` was made before the transaction. */
export function importEvent(
  ports: Pick<SupervisionPorts, 'node'>,
  caller: Caller,
  event: {
    readonly id: string;
    readonly action: 'supervision.import-certificates' | 'supervision.import-crl';
    readonly authority: SupervisedAuthorityRow;
    readonly requestId?: string | undefined;
  },
  detail: AuditEventInput['detail'],
): AuditEventInput {
  const { id, action, authority, requestId } = event;
  return {
    id,
    action,
    outcome: 'success',
    subjects: [{ type: 'supervised-authority', id: authority.id, version: authority.version + 1 }],
    actor: auditActor(caller),
    source: { node: ports.node, ...(requestId === undefined ? {} : { request: requestId }) },
    detail: { region: authority.region, ...detail },
  };
}

/** Another import, or a change of the authority, came in between. */
export function staleImport(): KmcError {
  return new KmcError('E_STALE', 'Something else was imported of the authority at the same time. Import it again.');
}

/** Lets other work run between portions of a long one. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
