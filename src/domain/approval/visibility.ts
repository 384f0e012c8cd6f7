/** Who sees which requests, and who is asked to decide. */
import { approversOf } from '../action.ts';
import type { PersonCaller } from '../caller.ts';
import { holdsRoleIn } from '../person.ts';
import { isInSight, regionSight } from '../region-sight.ts';
import { regionOf, ruleOf, voicelessOf, type ApprovalRequest } from './request.ts';

/** True for the proposer, for every holder of a role of the centre, and for regional roles in their own region. */
export function seesRequest(caller: Pick<PersonCaller, 'id' | 'roles'>, request: ApprovalRequest): boolean {
  if (request.proposer === caller.id) return true;
  return isInSight(regionSight(caller), regionOf(request));
}

/** True when a role of the caller approves the act, and the caller neither proposed it nor is whom it takes from. */
export function isAskedToDecide(caller: Pick<PersonCaller, 'id' | 'roles'>, request: ApprovalRequest): boolean {
  if (request.proposer === caller.id || voicelessOf(request) === caller.id) return false;
  return approversOf(ruleOf(request)).some((role) => holdsRoleIn(caller, role, regionOf(request)));
}
