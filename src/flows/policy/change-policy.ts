/** The act `policy.change`: other policy files come into force, approved under those that were. */
import { newId } from '../../domain/id.ts';
import { policyChanges, policyChangeText } from '../../domain/policy-diff.ts';
import { policyBody, policyBodyDigest, type PolicySet } from '../../domain/policy.ts';
import {
  isObject,
  requireMembers,
  sm3Text,
  textLike,
  type MemberCheck,
  type SignedObject,
} from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { DatabaseHandler } from '../approvals/action-handler.ts';
import type { Instance } from '../instance.ts';

/** Id of the one target of kind `policy`. */
export const POLICY_TARGET = 'policy-set';

/** The set that is to come into force, whole, and what it changes: that is what people sign. */
interface ChangeParameters {
  readonly digest: string;
  readonly version: string;
  /** In the form of `policyBody`. */
  readonly policy: SignedObject;
  /** `policyChangeText` of every change, in the order of `policyChanges`. */
  readonly changes: readonly string[];
}

const MOST_CHANGES = 2000;

const CHECKS = {
  digest: sm3Text,
  version: textLike(/^[1-9][0-9]{0,8}$/, 'a decimal number'),
  policy: ((value) => (isObject(value) ? undefined : 'must be the policy set')) satisfies MemberCheck,
  changes: ((value) =>
    Array.isArray(value) && value.length <= MOST_CHANGES && value.every((item) => typeof item === 'string')
      ? undefined
      : 'must be a list of texts') satisfies MemberCheck,
};

/** @throws KmcError E_SCHEMA unless digest, version, set and changes belong together. */
function parametersOf(policies: PolicySet, params: SignedObject): ChangeParameters {
  requireMembers<ChangeParameters>(params, CHECKS, 'policy change');
  const { digest, version, policy, changes } = params;
  if (policyBodyDigest(policy) !== digest || policy['version'] !== version) {
    throw new KmcError('E_SCHEMA', 'params.digest and params.version are not those of params.policy.');
  }
  const found = policyChanges(policyBody(policies), policy).map(policyChangeText);
  if (found.length !== changes.length || found.some((text, at) => text !== changes[at])) {
    throw new KmcError('E_SCHEMA', 'params.changes does not say what changes: take the lines of kmc policy diff.');
  }
  return params;
}

/**
 * The handler of `policy.change`. Once it is done, every process that runs with the old files refuses to work (E_POLICY)
 * until it was started again with the new ones.
 */
export function changePolicyHandler(ports: Pick<Instance, 'policies' | 'policyDigest'>): DatabaseHandler {
  return {
    kind: 'database',
    target: async () => ({ state: 'PINNED', version: ports.policies.version }),
    async check(_reader, targetId, params) {
      if (targetId !== POLICY_TARGET) throw new KmcError('E_NOT_FOUND', `The policy has the id ${POLICY_TARGET}.`);
      const { digest, version } = parametersOf(ports.policies, params);
      if (digest === ports.policyDigest) throw new KmcError('E_CONFLICT', 'This policy is in force already.');
      if (Number(version) <= Number(ports.policies.version)) {
        throw new KmcError('E_CONFLICT', 'Raise the version of the policy set: it must be above the one in force.');
      }
    },
    async prepare(act) {
      const { digest, version } = parametersOf(ports.policies, act.request.params);
      const id = newId('ev', act.at);
      return async (tx) => {
        if (!(await tx.instance.replace('policy-digest', act.request.policyDigest, digest))) {
          throw new KmcError('E_STALE', 'Another policy came into force in between. Make a new request.');
        }
        await tx.audit.append(
          {
            id,
            action: 'policy.change',
            outcome: 'success',
            subjects: [{ type: 'policy', id: POLICY_TARGET, version: Number(version) }],
            actor: act.actor,
            source: act.source,
            approvals: act.approvals,
            detail: {
              digest,
              previousDigest: act.request.policyDigest,
              request: act.request.id,
              version: Number(version),
            },
          },
          act.at,
        );
        return { digest, version };
      };
    },
  };
}
