import { newId } from '../../domain/id.ts';
import { requireMembers } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { DatabaseHandler } from '../approvals/action-handler.ts';
import type { Reader } from '../ports/database.ts';
import type { SupervisedAuthorityRow } from '../ports/supervised-authorities.ts';
import { supervisedTarget } from './register-supervised-authority.ts';

async function requireActive(reader: Reader, id: string): Promise<SupervisedAuthorityRow> {
  const row = await reader.supervisedAuthorities.find(id);
  if (row === undefined) throw new KmcError('E_NOT_FOUND', 'No certification authority of that id is supervised here.');
  if (row.state !== 'active') throw new KmcError('E_STATE', 'The supervision of that authority has ended already.');
  return row;
}

/**
 * The act `supervised-authority.end`: nothing more is fetched or imported, and it is counted no more; what was imported
 * stays. Target `supervised-authority/<id>`; no parameters.
 */
export function endSupervision(): DatabaseHandler {
  return {
    kind: 'database',
    target: supervisedTarget,
    async check(reader, targetId, params) {
      requireMembers<object>(params, {}, 'end of a supervision');
      await requireActive(reader, targetId);
    },
    async prepare(act) {
      const id = act.request.target.split('/')[1] ?? '';
      const event = newId('ev', act.at);
      return async (tx) => {
        const row = await requireActive(tx, id);
        const ended = { ...row, state: 'ended', changedAt: act.at, lastAuditEvent: event } as const;
        if (!(await tx.supervisedAuthorities.replace(ended, row.version))) {
          throw new KmcError('E_STALE', 'The authority changed at the same time. Make a new request.');
        }
        await tx.audit.append(
          {
            id: event,
            action: 'supervision.end',
            outcome: 'success',
            subjects: [{ type: 'supervised-authority', id, version: row.version + 1 }],
            terms: [{ type: 'request', id: act.request.id }],
            actor: act.actor,
            source: act.source,
            approvals: act.approvals,
            detail: { region: row.region, request: act.request.id, to: 'ended' },
          },
          act.at,
        );
        return { authority: id, state: 'ended' };
      };
    },
  };
}
