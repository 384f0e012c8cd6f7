import { newId } from '../../domain/id.ts';
import { requireMembers } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { DatabaseHandler } from '../approvals/action-handler.ts';
import { ISSUANCE } from './pause-issuance.ts';

/** The act `issuance.resume`: what break-glass paused goes on. Target `instance/certificates`; no parameters. */
export function resumeIssuance(): DatabaseHandler {
  return {
    kind: 'database',
    async target(reader) {
      const pause = await reader.breakGlass.pause();
      return { state: pause === undefined ? 'RUNNING' : 'PAUSED', version: String(pause?.pausedAt.getTime() ?? 0) };
    },
    async check(reader, targetId, params) {
      requireMembers<object>(params, {}, 'request to resume issuance');
      if (targetId !== ISSUANCE) throw new KmcError('E_NOT_FOUND', `What is paused has the id ${ISSUANCE}.`);
      if ((await reader.breakGlass.pause()) === undefined) throw new KmcError('E_STATE', 'Issuance is not paused.');
    },
    async prepare(act) {
      const id = newId('ev', act.at);
      return async (tx) => {
        if (!(await tx.breakGlass.resumeIssuance())) throw new KmcError('E_STALE', 'Issuance goes on already.');
        await tx.audit.append(
          {
            id,
            action: 'issuance.resume',
            outcome: 'success',
            subjects: [{ type: 'issuance', id: ISSUANCE }],
            actor: act.actor,
            source: act.source,
            approvals: act.approvals,
            detail: { request: act.request.id },
          },
          act.at,
        );
        return { issuance: 'running' };
      };
    },
  };
}
