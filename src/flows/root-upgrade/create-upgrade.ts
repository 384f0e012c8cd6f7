import { canonicalizeSigned } from '../../crypto/jcs.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { holdsRoleIn } from '../../domain/person.ts';
import { planDigest, readPlan, requirePlanBody, type UpgradePlan } from '../../domain/root-upgrade/plan.ts';
import type { RoleName } from '../../domain/roles.ts';
import { KmcError } from '../../errors.ts';
import { audited } from '../audit/events/audited.ts';
import type { Reader, Transaction } from '../ports/database.ts';
import type { RootUpgradeRow } from '../ports/root-upgrades.ts';
import type { UpgradePorts } from './upgrade-ports.ts';

/** Who writes plans: those who answer for the hierarchies, and for security. */
export const PLANNERS: readonly RoleName[] = ['ca-owner', 'security-administrator'];

export interface CreateUpgradeInput {
  /** The plan, of the signed profile: text, booleans, lists, objects. */
  readonly plan: unknown;
  readonly requestId: string;
}

/** What the plan names must be there already, of the generation that is left. @throws KmcError E_NOT_FOUND, E_LINT. */
async function requireOldGeneration(reader: Reader, { from, supersedes, bundle }: UpgradePlan): Promise<void> {
  const [root, issuing] = [await reader.authorities.find(from.root), await reader.authorities.find(from.issuing)];
  if (root?.kind !== 'root' || issuing?.kind !== 'issuing') {
    throw new KmcError(
      'E_NOT_FOUND',
      `The root ${from.root} or the issuing CA ${from.issuing} is not in this service.`,
    );
  }
  if (root.generation !== from.generation || issuing.issuerId !== root.id) {
    throw new KmcError('E_LINT', `${from.issuing} is not under ${from.root}, or that is not of ${from.generation}.`);
  }
  const replaced = supersedes === undefined ? undefined : await reader.rootUpgrades.find(supersedes);
  if (supersedes !== undefined && replaced?.bundle !== bundle) {
    throw new KmcError('E_NOT_FOUND', `There is no upgrade ${supersedes} of this bundle to replace.`);
  }
}

/** Another plan in the place of a draft. @throws KmcError E_STATE once it is frozen; E_STALE. */
async function replacePlan(tx: Transaction, old: RootUpgradeRow, next: RootUpgradeRow, actor: string): Promise<void> {
  if (old.state !== 'DRAFT' || old.bundle !== next.bundle) {
    throw new KmcError('E_STATE', `The upgrade ${old.id} is ${old.state}: another plan is another upgrade.`);
  }
  const { plan, planDigest: digest, kind, changedAt: at, lastAuditEvent } = next;
  const changed = await tx.rootUpgrades.change(
    old,
    { plan, planDigest: digest, kind },
    {
      upgrade: old.id,
      version: old.version + 1,
      step: 'plan',
      fromState: old.state,
      toState: old.state,
      request: undefined,
      actor,
      stated: canonicalizeSigned({ planDigest: digest }),
      at,
      lastAuditEvent,
    },
  );
  if (!changed) throw new KmcError('E_STALE', 'The plan was changed at the same time. Look at it again.');
}

/**
 * Puts a plan in as an upgrade in DRAFT, or another plan in the place of one that is still there: nothing is decided by
 * it, T1 freezes it.
 * @throws KmcError E_FORBIDDEN, E_SCHEMA, E_LINT, E_NOT_FOUND; E_STATE when the plan of that id is frozen; E_STALE.
 */
export async function createUpgrade(
  ports: UpgradePorts,
  caller: Caller,
  { plan: given, requestId }: CreateUpgradeInput,
): Promise<RootUpgradeRow> {
  if (caller.type !== 'person' || !PLANNERS.some((role) => holdsRoleIn(caller, role))) {
    throw new KmcError('E_FORBIDDEN', `A plan is handed in by one of the roles ${PLANNERS.join(', ')}.`);
  }
  const body = requirePlanBody(given);
  const plan = readPlan(body);
  const at = ports.clock.now();
  const event = newId('ev', at);
  const by = { actor: auditActor(caller), source: { node: ports.node, request: requestId } };
  const digest = planDigest(body);
  const row: RootUpgradeRow = {
    id: plan.id,
    kind: plan.kind,
    bundle: plan.bundle,
    state: 'DRAFT',
    suspended: false,
    version: 1,
    plan: canonicalizeSigned(body),
    planDigest: digest,
    wavesOpened: 0,
    lastWaveAt: undefined,
    supersededBy: undefined,
    createdBy: caller.id,
    createdAt: at,
    changedAt: at,
    lastAuditEvent: event,
  };
  const subjects = [{ type: 'root-upgrade', id: plan.id } as const];
  return await audited(ports, { action: 'upgrade.plan', subjects, ...by }, () =>
    ports.database.transaction(async (tx) => {
      await requireOldGeneration(tx, plan);
      const before = await tx.rootUpgrades.find(plan.id);
      const version = (before?.version ?? 0) + 1;
      if (before === undefined) await tx.rootUpgrades.insert(row);
      else await replacePlan(tx, before, row, caller.id);
      await tx.audit.append(
        {
          id: event,
          action: 'upgrade.plan',
          outcome: 'success',
          subjects: [{ type: 'root-upgrade', id: plan.id, version }],
          ...by,
          detail: { plan: digest, kind: plan.kind, bundle: plan.bundle },
        },
        at,
      );
      return { ...row, version };
    }),
  );
}
