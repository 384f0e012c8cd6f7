import type { ActionName } from '../../domain/action.ts';
import { blockersOf } from '../../domain/root-upgrade/evaluate.ts';
import { transitionRule, type TransitionName } from '../../domain/root-upgrade/transitions.ts';
import { transitionOfAct } from '../../domain/root-upgrade/ways.ts';
import { KmcError } from '../../errors.ts';
import { ABSENT, type DatabaseHandler } from '../approvals/action-handler.ts';
import { eventIds } from '../audit/events/event-ids.ts';
import type { RootUpgradeRow } from '../ports/root-upgrades.ts';
import { blocked, makeTransition } from './make-transition.ts';
import { readFacts } from './read-facts.ts';
import { requireParameters, statedIn } from './transition-params.ts';
import { requireUpgrade, type UpgradePorts } from './upgrade-ports.ts';

/** The transition that the act decides in the present state. @throws KmcError E_STATE when it decides none. */
function transitionFor(op: ActionName, { state, kind }: RootUpgradeRow): TransitionName {
  const name = transitionOfAct(op, state, kind);
  if (name !== undefined && transitionRule(name).decidedBy === 'request') return name;
  throw new KmcError('E_STATE', `The act ${op} decides no transition out of ${state}.`);
}

/**
 * The handler of the acts that decide a transition of a root upgrade (A.5). Its guards are asked when it is proposed, and
 * again when it is done; what was signed names the plan, and the snapshot, manifest, ring or reason that it rests on. An
 * emergency has no cool-down.
 */
export function transitionAct(ports: UpgradePorts, op: ActionName): DatabaseHandler {
  return {
    kind: 'database',
    async target(reader, targetId) {
      const row = await reader.rootUpgrades.find(targetId);
      return row === undefined ? ABSENT : { state: row.state, version: String(row.version) };
    },
    async check(reader, targetId, params) {
      const row = await requireUpgrade(reader, targetId);
      const name = transitionFor(op, row);
      const { ring } = statedIn(params);
      const at = ports.clock.now();
      const facts = await readFacts(reader, ports.fleet, row, { at, ...(ring === undefined ? {} : { ring }) });
      const blockers = blockersOf(facts, name);
      if (blockers.length > 0) throw blocked(name, blockers);
      await requireParameters(reader, row, facts, name, params);
    },
    async urgent(reader, request) {
      const row = await reader.rootUpgrades.find(request.target.split('/')[1] ?? '');
      return row?.kind === 'EMERGENCY';
    },
    async prepare(act) {
      const ids = eventIds(act.at);
      const { request, actor, source, approvals, at } = act;
      const upgrade = request.target.split('/')[1] ?? '';
      return async (tx) => {
        const name = transitionFor(op, await requireUpgrade(tx, upgrade));
        const row = await makeTransition(tx, ports, {
          upgrade,
          version: Number(request.targetVersion),
          name,
          params: request.params,
          request: request.id,
          actor,
          source,
          approvals,
          terms: [{ type: 'request', id: request.id }],
          at,
          nextId: ids(),
        });
        return { upgrade, transition: name, state: row.state, version: String(row.version) };
      };
    },
  };
}
