import { newId } from '../../domain/id.ts';
import { stateAfter } from '../../domain/registration-authority.ts';
import { requireMembers, type SignedObject } from '../../domain/signed-body.ts';
import type { DatabaseHandler } from '../approvals/action-handler.ts';
import type { Instance } from '../instance.ts';
import {
  authorityActEvent,
  authorityIdOf,
  authorityTarget,
  changeOf,
  presentAuthority,
  REGION_MEMBER,
  staleAuthority,
  TERMS_MEMBERS,
  termsOf,
  type StatedTerms,
} from './authority-act.ts';

const ACT = 'registration-authority.amend';

interface Amendment extends StatedTerms {
  readonly region: string;
}

function amendmentOf(params: SignedObject): Amendment {
  requireMembers<Amendment>(params, { ...REGION_MEMBER, ...TERMS_MEMBERS }, 'amendment of a registration authority');
  return params;
}

/**
 * The act `registration-authority.amend`: other profiles and quotas, in whatever state but closed. A quota below what is
 * registered takes nothing away; nothing more is registered until there is room. Target `registration-authority/<id>`;
 * parameters `region`, `profiles`, `devices`, `devicesPerDay`, all as they are to be.
 */
export function amendRegistrationAuthority({ policies }: Pick<Instance, 'policies'>): DatabaseHandler {
  return {
    kind: 'database',
    target: authorityTarget,
    async check(reader, targetId, params) {
      termsOf(policies, amendmentOf(params));
      stateAfter(ACT, (await presentAuthority(reader, targetId, params)).state);
    },
    async prepare(act) {
      const terms = termsOf(policies, amendmentOf(act.request.params));
      const id = authorityIdOf(act);
      const event = newId('ev', act.at);
      return async (tx) => {
        const row = await presentAuthority(tx, id, act.request.params);
        stateAfter(ACT, row.state);
        const change = changeOf(row, { at: act.at, auditEvent: event }, terms);
        if (!(await tx.registrationAuthorities.change(id, row.version, change))) throw staleAuthority();
        const { devices, devicesPerDay, profiles } = terms;
        const ids = { id: event, action: ACT, authority: id, version: row.version + 1 } as const;
        const detail = { region: row.region, devices, devicesPerDay, profiles: profiles.length };
        await tx.audit.append(authorityActEvent(act, ids, detail), act.at);
        return { authority: id, state: row.state };
      };
    },
  };
}
