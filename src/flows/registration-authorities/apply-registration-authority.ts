import { newId } from '../../domain/id.ts';
import type { PolicySet } from '../../domain/policy.ts';
import { plainText, requireMembers, type SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { DatabaseHandler } from '../approvals/action-handler.ts';
import type { Instance } from '../instance.ts';
import type { Reader } from '../ports/database.ts';
import type { RegistrationAuthorityRow } from '../ports/registration-authorities.ts';
import {
  authorityActEvent,
  authorityIdOf,
  authorityTarget,
  REGION_MEMBER,
  requirePartition,
  TERMS_MEMBERS,
  termsOf,
  type StatedTerms,
} from './authority-act.ts';

const ACT = 'registration-authority.apply';
const NAME_LIMIT = 128;

interface Application extends StatedTerms {
  readonly region: string;
  readonly nameEn: string;
  readonly nameZh: string;
}

type Applied = Omit<RegistrationAuthorityRow, 'id' | 'version' | 'appliedAt' | 'changedAt' | 'lastAuditEvent'>;

/** @throws KmcError E_SCHEMA, E_POLICY. */
function applicationOf(policies: PolicySet, params: SignedObject): Applied {
  const name = plainText(NAME_LIMIT);
  requireMembers<Application>(
    params,
    { ...REGION_MEMBER, nameEn: name, nameZh: name, ...TERMS_MEMBERS },
    'application of a registration authority',
  );
  requirePartition(policies, params.region);
  const { region, nameEn, nameZh } = params;
  return { region, nameEn, nameZh, ...termsOf(policies, params), state: 'applied' };
}

async function requireFree(reader: Reader, id: string, region: string): Promise<void> {
  if ((await reader.registrationAuthorities.find(id)) !== undefined) {
    throw new KmcError('E_CONFLICT', 'A registration authority of that id is there already, or was.');
  }
  if ((await reader.registrationAuthorities.ofRegion(region)) !== undefined) {
    throw new KmcError('E_CONFLICT', 'The region has a registration authority. It must be closed first.');
  }
}

/**
 * The act `registration-authority.apply`: the first step into service. Target `registration-authority/<id>`; parameters
 * `region`, `nameEn`, `nameZh`, `profiles` (device profiles it may use), `devices` and `devicesPerDay` (its quotas).
 */
export function applyRegistrationAuthority({ policies }: Pick<Instance, 'policies'>): DatabaseHandler {
  return {
    kind: 'database',
    target: authorityTarget,
    async check(reader, targetId, params) {
      await requireFree(reader, targetId, applicationOf(policies, params).region);
    },
    async prepare(act) {
      const applied = applicationOf(policies, act.request.params);
      const id = authorityIdOf(act);
      const event = newId('ev', act.at);
      return async (tx) => {
        await requireFree(tx, id, applied.region);
        const row = { ...applied, id, version: 1, appliedAt: act.at, changedAt: act.at, lastAuditEvent: event };
        if (!(await tx.registrationAuthorities.insert(row))) {
          throw new KmcError('E_CONFLICT', 'Another registration authority was put forward at the same time.');
        }
        const { region, state, devices, devicesPerDay, profiles } = applied;
        const ids = { id: event, action: ACT, authority: id, version: 1 } as const;
        const detail = { region, to: state, devices, devicesPerDay, profiles: profiles.length };
        await tx.audit.append(authorityActEvent(act, ids, detail), act.at);
        return { authority: id, state };
      };
    },
  };
}
