/**
 * What a change of the policy set means, rule by rule: which rules protect more after it, which protect less, and which
 * are only different. Approvers sign these lines, so a lowering stands there as one.
 */
import { isObject, type SignedObject, type SignedValue } from './signed-body.ts';

/** `lowered`: protects less than before. `raised`: protects more. `changed`: neither can be said. */
const POLICY_EFFECTS = ['lowered', 'raised', 'changed'] as const;
export type PolicyEffect = (typeof POLICY_EFFECTS)[number];

export interface PolicyChange {
  /** Place in the policy set, e.g. `quorums.L3.approvals`. */
  readonly rule: string;
  readonly effect: PolicyEffect;
  /** Absent where the rule is new. */
  readonly before?: string;
  /** Absent where the rule is gone. */
  readonly after?: string;
}

/** What protects more: the higher or lower number (none at all is no bound), the truth, a rule that is there, fewer names. */
type Direction = 'more' | 'less' | 'true' | 'there' | 'fewer' | 'hub';

/** Rules whose direction is known; `*` stands for one name. All others are `changed`. */
const DIRECTIONS: Readonly<Record<string, Direction>> = {
  'quorums.*.approvals': 'more',
  'quorums.*.distinctRoles': 'more',
  'quorums.*.distinctUnits': 'more',
  'quorums.*.distinctOrganisations': 'more',
  'quorums.*.coolDownSeconds': 'more',
  'quorums.*.beyondOneProvince': 'true',
  'quorums.*.expirySeconds': 'less',
  'exclusions.*': 'there',
  'profiles.*.validitySeconds': 'less',
  'profiles.*.ca.pathLength': 'less',
  'profiles.*.keyPurposesCritical': 'true',
  'profiles.*.keyUsage': 'fewer',
  'profiles.*.keyPurposes': 'fewer',
  'profiles.*.subjectKeys': 'fewer',
  'deviceProfiles.*.marked': 'true',
  'deviceProfiles.*.tier': 'hub',
  'cryptoPeriods.*.originateSeconds': 'less',
  'cryptoPeriods.*.processSeconds': 'less',
  'cryptoPeriods.*.mostBlobs': 'less',
  'enrolment.tokenInPersonSeconds': 'less',
  'enrolment.tokenRemoteSeconds': 'less',
  'enrolment.tokenTries': 'less',
  'enrolment.tokenLockSeconds': 'more',
  'enrolment.redeliverySeconds': 'less',
  'enrolment.pendingSeconds': 'less',
  'revocation.*': 'less',
  'keys.destroyWindowSeconds': 'more',
  auditRetentionDays: 'more',
};

/** How strongly a value protects, as a number; undefined where it is not of the form that the direction asks for. */
const STRENGTH: Readonly<Record<Direction, (value: string | undefined) => number | undefined>> = {
  more: (value) => (value === undefined ? 0 : wholeNumber(value)),
  less: (value) => (value === undefined ? Number.NEGATIVE_INFINITY : negated(wholeNumber(value))),
  true: (value) => (value === 'true' ? 1 : 0),
  there: (value) => (value === undefined ? 0 : 1),
  hub: (value) => (value === 'hub' ? 1 : 0),
  fewer: () => undefined, // compared as sets
};

function wholeNumber(text: string): number | undefined {
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

function negated(value: number | undefined): number | undefined {
  return value === undefined ? undefined : -value;
}

/** The rules of a policy set, each with its value as text: lists of names sorted, entries of lists by their own names. */
function rulesOf(value: SignedValue, path: string, rules: Map<string, string>): Map<string, string> {
  const below = (name: string): string => (path === '' ? name : `${path}.${name}`);
  if (typeof value === 'string' || typeof value === 'boolean') return rules.set(path, String(value));
  if (!Array.isArray(value)) {
    for (const [name, member] of Object.entries(value)) rulesOf(member, below(name), rules);
    return rules;
  }
  const items: readonly SignedValue[] = value;
  if (items.every((item) => typeof item === 'string')) return rules.set(path, [...items].sort().join(', '));
  for (const [position, item] of items.entries()) {
    if (Array.isArray(item)) rules.set(below(item.map(String).sort().join('+')), 'stands');
    else rulesOf(item, below(nameOf(item, position)), rules);
  }
  return rules;
}

function nameOf(item: SignedValue, position: number): string {
  const name = isObject(item) ? (item['code'] ?? item['id']) : undefined;
  return typeof name === 'string' ? name : String(position);
}

function directionOf(rule: string): Direction | undefined {
  const names = rule.split('.');
  const found = Object.entries(DIRECTIONS).find(([pattern]) => {
    const parts = pattern.split('.');
    return parts.length === names.length && parts.every((part, at) => part === '*' || part === names[at]);
  });
  return found?.[1];
}

function effectOf(rule: string, before: string | undefined, after: string | undefined): PolicyEffect {
  const direction = directionOf(rule);
  if (direction === undefined) return 'changed';
  if (direction === 'fewer') return effectOfSets(before ?? '', after ?? '');
  const strength = STRENGTH[direction];
  const [was, is] = [strength(before), strength(after)];
  if (was === undefined || is === undefined || was === is) return 'changed';
  return is < was ? 'lowered' : 'raised';
}

function effectOfSets(before: string, after: string): PolicyEffect {
  const [was, is] = [new Set(before.split(', ')), new Set(after.split(', '))];
  const added = [...is].some((name) => !was.has(name));
  const removed = [...was].some((name) => !is.has(name));
  if (added === removed) return 'changed';
  return added ? 'lowered' : 'raised';
}

/** Every rule that differs between two policy sets in the form of `policyBody`; lowered ones first, then by name. */
export function policyChanges(before: SignedObject, after: SignedObject): PolicyChange[] {
  const [was, is] = [rulesOf(before, '', new Map<string, string>()), rulesOf(after, '', new Map<string, string>())];
  return [...new Set([...was.keys(), ...is.keys()])]
    .filter((rule) => was.get(rule) !== is.get(rule))
    .map((rule) => changeOf(rule, was.get(rule), is.get(rule)))
    .sort((a, b) => POLICY_EFFECTS.indexOf(a.effect) - POLICY_EFFECTS.indexOf(b.effect) || (a.rule < b.rule ? -1 : 1));
}

function changeOf(rule: string, before: string | undefined, after: string | undefined): PolicyChange {
  return {
    rule,
    effect: effectOf(rule, before, after),
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  };
}

/** A change as people read and sign it, e.g. `LOWERED quorums.L3.approvals: 4 -> 3`. */
export function policyChangeText({ rule, effect, before = 'absent', after = 'absent' }: PolicyChange): string {
  return `${effect === 'lowered' ? 'LOWERED' : effect} ${rule}: ${before} -> ${after}`;
}
