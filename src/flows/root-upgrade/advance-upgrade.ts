import { proposersOf, actionRule } from '../../domain/action.ts';
import { auditActor, type Caller, type PersonCaller } from '../../domain/caller.ts';
import { holdsRoleIn } from '../../domain/person.ts';
import { requirePossible } from '../../domain/root-upgrade/evaluate.ts';
import type { UpgradeState } from '../../domain/root-upgrade/states.ts';
import { transitionRule, type TransitionName, type TransitionRule } from '../../domain/root-upgrade/transitions.ts';
import type { RoleName } from '../../domain/roles.ts';
import { KmcError } from '../../errors.ts';
import type { ActionHandlers } from '../approvals/action-handler.ts';
import { createRequest } from '../approvals/create-request.ts';
import { executeRequest } from '../approvals/execute-request.ts';
import type { ApprovalPorts } from '../approvals/stored-request.ts';
import { audited } from '../audit/events/audited.ts';
import { eventIds } from '../audit/events/event-ids.ts';
import type { LinkVerifier } from '../ports/link-verifier.ts';
import type { RequestRow } from '../ports/requests.ts';
import type { RootUpgradeRow } from '../ports/root-upgrades.ts';
import { MANIFEST_PUBLISHERS } from '../trust/manifest-publishers.ts';
import { makeTransition } from './make-transition.ts';
import { readFacts } from './read-facts.ts';
import { transitionParameters, type StatedWith } from './transition-params.ts';
import { planOf } from './plan-of.ts';
import { requireUpgrade, type UpgradePorts } from './upgrade-ports.ts';
import { verifyLinks } from './verify-links.ts';

export interface AdvancePorts extends UpgradePorts, ApprovalPorts {
  readonly handlers: ActionHandlers;
  readonly links: LinkVerifier;
}

export interface AdvanceUpgradeInput extends StatedWith {
  readonly upgrade: string;
  readonly transition: TransitionName;
  /** Why the request is made, for those who approve it. */
  readonly why: string;
  readonly requestId: string;
}

/** `asked`: a request was opened. `waits`: it still waits for approvals. `made`: the upgrade stands in the new state. */
export interface AdvancedUpgrade {
  readonly outcome: 'asked' | 'waits' | 'made';
  readonly transition: TransitionName;
  readonly state: UpgradeState;
  /** Of the request that decides it. */
  readonly request: string | undefined;
}

/** Requests of one upgrade that are looked through. */
const MOST_REQUESTS = 200;

/** Who makes a transition that no request decides. */
function makersOf(rule: TransitionRule): readonly RoleName[] {
  return rule.decidedBy === 'signatures' ? MANIFEST_PUBLISHERS : proposersOf(actionRule(rule.act));
}

function requireMaker(caller: Caller, rule: TransitionRule): asserts caller is PersonCaller {
  const roles = makersOf(rule);
  if (caller.type === 'person' && roles.some((role) => holdsRoleIn(caller, role))) return;
  throw new KmcError('E_FORBIDDEN', `This needs one of the roles ${roles.join(', ')}.`);
}

/** Ceremonies, or the signatures of a manifest, decided it: what they made is in the service, and is looked at again. */
async function makeDecided(
  ports: AdvancePorts,
  caller: Caller,
  row: RootUpgradeRow,
  input: AdvanceUpgradeInput,
): Promise<AdvancedUpgrade> {
  const { transition: name, upgrade } = input;
  const rule = transitionRule(name);
  const at = ports.clock.now();
  const by = { actor: auditActor(caller), source: { node: ports.node, request: input.requestId } };
  const subjects = [{ type: 'root-upgrade', id: upgrade } as const];
  const attempt = { action: 'upgrade.transition', subjects, ...by, detail: { step: name } } as const;
  return await audited(ports, attempt, async () => {
    requireMaker(caller, rule);
    const asksLinks = rule.guards.includes('links');
    const linkFaults = asksLinks ? await verifyLinks(ports, planOf(row), at) : undefined;
    const asked = { at, ...(linkFaults === undefined ? {} : { linkFaults }) };
    const params = await ports.database.snapshot(async (reader) =>
      transitionParameters(reader, row, await readFacts(reader, ports.fleet, row, asked), name, input),
    );
    const ids = eventIds(at);
    const made = await ports.database.transaction((tx) =>
      makeTransition(tx, ports, {
        ...by,
        upgrade,
        version: row.version,
        name,
        params,
        request: undefined,
        linkFaults,
        at,
        nextId: ids(),
      }),
    );
    return { outcome: 'made', transition: name, state: made.state, request: undefined };
  });
}

/** The request for the transition that is under way, made for the upgrade as it stands. */
async function openRequest(
  ports: AdvancePorts,
  row: RootUpgradeRow,
  name: TransitionName,
): Promise<RequestRow | undefined> {
  const { act } = transitionRule(name);
  const rows = await ports.database.read((reader) =>
    reader.requests.list({ op: act, target: `root-upgrade/${row.id}` }, { limit: MOST_REQUESTS }),
  );
  const now = ports.clock.now();
  return rows.findLast(
    ({ state, targetVersion, expiresAt, policyDigest }) =>
      (state === 'OPEN' || state === 'QUORUM' || state === 'FAILED') &&
      targetVersion === String(row.version) &&
      now < expiresAt &&
      policyDigest === ports.policyDigest,
  );
}

async function askFor(
  ports: AdvancePorts,
  caller: Caller,
  row: RootUpgradeRow,
  input: AdvanceUpgradeInput,
): Promise<AdvancedUpgrade> {
  const { transition: name, why, ring } = input;
  const at = ports.clock.now();
  const params = await ports.database.snapshot(async (reader) => {
    const facts = await readFacts(reader, ports.fleet, row, { at, ...(ring === undefined ? {} : { ring }) });
    return await transitionParameters(reader, row, facts, name, input);
  });
  const source = { node: ports.node, request: input.requestId };
  const { act } = transitionRule(name);
  const { request } = await createRequest(ports, { op: act, targetId: row.id, params, reason: why, source }, caller);
  return { outcome: 'asked', transition: name, state: row.state, request: request.id };
}

/**
 * Takes one transition as far as it goes: opens its request, says that it waits, or makes it once it is decided. To call
 * it again after a crash, or from another place, goes on where things stand; it is made exactly once.
 * @throws KmcError E_NOT_FOUND; E_STATE with `blockedBy` while guards do not hold, or for a transition that the table does
 * not have here; E_USAGE (R4); E_FORBIDDEN; E_SCHEMA; E_STALE; E_PENDING (cool-down); what executing the request refuses.
 */
export async function advanceUpgrade(
  ports: AdvancePorts,
  caller: Caller,
  input: AdvanceUpgradeInput,
): Promise<AdvancedUpgrade> {
  const { transition: name, upgrade } = input;
  const row = await ports.database.read((reader) => requireUpgrade(reader, upgrade));
  const rule = transitionRule(name);
  requirePossible({ state: row.state, plan: { kind: row.kind } }, name);
  if (rule.decidedBy === 'newer-plan') {
    throw new KmcError('E_USAGE', 'An upgrade is replaced by approving the plan that names it under supersedes.');
  }
  if (rule.decidedBy !== 'request') return await makeDecided(ports, caller, row, input);
  const open = await openRequest(ports, row, name);
  if (open === undefined) return await askFor(ports, caller, row, input);
  if (open.state === 'OPEN') return { outcome: 'waits', transition: name, state: row.state, request: open.id };
  const source = { node: ports.node, request: input.requestId };
  await executeRequest(ports, { requestId: open.id, source }, caller);
  const made = await ports.database.read((reader) => requireUpgrade(reader, upgrade));
  return { outcome: 'made', transition: name, state: made.state, request: open.id };
}
