/**
 * The plan of a root upgrade (A.5, T1): which root takes the place of which, in which waves, behind which gates. Once it
 * is approved only its digest counts: another plan is another upgrade.
 */
import { canonicalizeSigned } from '../../crypto/jcs.ts';
import { sm3 } from '../../crypto/gm/sm3.ts';
import { KmcError } from '../../errors.ts';
import { ID } from '../id.ts';
import {
  isObject,
  isSignedObject,
  oneOf,
  plainText,
  readSignedTime,
  requireMembers,
  signedTimeText,
  sm3Text,
  textLike,
  type MemberCheck,
  type SignedObject,
} from '../signed-body.ts';
import { readGates, type GateNumbers } from './gates.ts';
import { UPGRADE_KINDS, type UpgradeKind } from './states.ts';

export const PLAN_SCHEMA = 'kmc.root-upgrade-plan/1';
const MOST_WAVES = 16;
const MOST_HOLDERS = 32;

/** One wave of the rollout. The last one is everybody. */
export type UpgradeWave =
  | { readonly percent: number }
  | { readonly regions: readonly string[] }
  | { readonly all: true };

/** The generation that is left: names of authorities of this service. */
export interface OldGeneration {
  readonly generation: string;
  /** Id of the root authority. */
  readonly root: string;
  /** Id of the issuing authority. */
  readonly issuing: string;
}

export interface NewGeneration extends OldGeneration {
  readonly algorithm: 'SM2';
}

/** The set of bundle-signers that comes in with the new algorithm (A.3). */
export interface NewSigners {
  readonly set: string;
  readonly threshold: string;
  readonly emergencyThreshold: string;
  /** Ids of persons: their SM2 keys are those of their accounts. */
  readonly holders: readonly string[];
}

export interface UpgradePlan {
  readonly id: string;
  readonly kind: UpgradeKind;
  /** Name of the trust bundle. */
  readonly bundle: string;
  readonly from: OldGeneration;
  readonly to: NewGeneration;
  /** The standby root that T2 makes and the next manifest commits to; of an emergency none: it uses the one there is. */
  readonly standby: { readonly generation: string; readonly root: string } | undefined;
  /** Until then the old root must be valid. */
  readonly ends: Date;
  /** Of a change of algorithm. */
  readonly signers: NewSigners | undefined;
  readonly waves: readonly UpgradeWave[];
  readonly gates: GateNumbers;
  /** Attestations of further verifiers that T3 asks for. */
  readonly independentVerifiers: number;
  /** `sm3:<hex>` of the report on what each firmware can do. */
  readonly capabilityReport: string;
  /** Id of the upgrade that this one replaces (R4). */
  readonly supersedes: string | undefined;
}

const identifier = textLike(ID, 'an identifier');
const generation = textLike(/^G[1-9][0-9]{0,2}$/, 'a generation such as G2');
const object: MemberCheck = (value) => (isObject(value) ? undefined : 'must be an object');
const decimal = textLike(/^(?:0|[1-9][0-9]?)$/, 'a decimal number below 100');

function listOf(check: MemberCheck, most: number): MemberCheck {
  return (value) =>
    Array.isArray(value) &&
    value.length >= 1 &&
    value.length <= most &&
    value.every((item) => check(item) === undefined)
      ? undefined
      : `must be a list of 1 to ${most}`;
}

const texts: MemberCheck = (value) =>
  isObject(value) && Object.values(value).every((text) => typeof text === 'string') ? undefined : 'must hold texts';

const PLAN = {
  schema: oneOf([PLAN_SCHEMA]),
  id: identifier,
  kind: oneOf(UPGRADE_KINDS),
  bundle: identifier,
  from: object,
  to: object,
  ends: signedTimeText,
  waves: listOf(object, MOST_WAVES),
  gates: texts,
  independentVerifiers: decimal,
  capabilityReport: sm3Text,
} as const satisfies Readonly<Record<string, MemberCheck>>;
const OPTIONAL = { standby: object, signers: object, supersedes: identifier } as const;

const OLD: Readonly<Record<keyof OldGeneration, MemberCheck>> = { generation, root: identifier, issuing: identifier };
const NEW: Readonly<Record<keyof NewGeneration, MemberCheck>> = { ...OLD, algorithm: oneOf(['SM2']) };
const STANDBY = { generation, root: identifier };
const SIGNERS: Readonly<Record<keyof NewSigners, MemberCheck>> = {
  set: identifier,
  threshold: textLike(/^[2-9]$/, 'a number from 2'),
  emergencyThreshold: textLike(/^[2-9]$/, 'a number from 2'),
  holders: listOf(identifier, MOST_HOLDERS),
};
const REGION = textLike(/^[0-9]{6}$/, 'the code of a region');

interface PlanBody {
  readonly id: string;
  readonly kind: UpgradeKind;
  readonly bundle: string;
  readonly from: OldGeneration;
  readonly to: NewGeneration;
  readonly ends: string;
  readonly waves: readonly Readonly<Record<string, unknown>>[];
  readonly gates: Readonly<Record<string, string>>;
  readonly independentVerifiers: string;
  readonly capabilityReport: string;
  readonly standby?: { readonly generation: string; readonly root: string };
  readonly signers?: NewSigners;
  readonly supersedes?: string;
}

function fault(pointer: string, detail: string): KmcError {
  return new KmcError('E_SCHEMA', `The plan does not fit: ${pointer} ${detail}.`, { pointers: [{ pointer, detail }] });
}

function readWave(value: Readonly<Record<string, unknown>>, position: number): UpgradeWave {
  const [[name, stated] = [], ...more] = Object.entries(value);
  const at = `/waves/${position}`;
  if (more.length > 0) throw fault(at, 'is one of percent, regions, all');
  if (name === 'all' && stated === true) return { all: true };
  if (name === 'percent' && typeof stated === 'string' && /^[1-9][0-9]?$/.test(stated)) {
    return { percent: Number(stated) };
  }
  if (name === 'regions' && listOf(REGION, 64)(stated) === undefined) return { regions: stated as string[] };
  throw fault(at, 'is percent from 1 to 99, a list of regions, or all: true');
}

/** Waves go from a share to a greater one, then over regions, and end with everybody. */
function readWaves(values: PlanBody['waves']): UpgradeWave[] {
  const waves = values.map(readWave);
  const shares = waves.flatMap((wave) => ('percent' in wave ? [wave.percent] : []));
  if (shares.some((share, at) => at > 0 && share <= (shares[at - 1] ?? 0))) {
    throw fault('/waves', 'must grow from share to share');
  }
  if (waves.findIndex((wave) => 'all' in wave) !== waves.length - 1) throw fault('/waves', 'must end with all: true');
  return waves;
}

/** What one part of the plan says of another. */
function requireCoherent({ kind, from, to, standby, signers, supersedes, id }: PlanBody): void {
  const generations = [from.generation, to.generation, ...(standby === undefined ? [] : [standby.generation])];
  if (new Set(generations).size < generations.length) throw fault('/to/generation', 'must be a generation of its own');
  if (from.root === to.root || from.issuing === to.issuing) throw fault('/to', 'must name authorities of its own');
  if ((kind === 'EMERGENCY') !== (standby === undefined)) {
    throw fault('/standby', kind === 'EMERGENCY' ? 'is not made in an emergency' : 'is missing');
  }
  if ((kind === 'ALG_CHANGE') !== (signers !== undefined)) {
    throw fault('/signers', 'stand in the plan of a change of algorithm, and in no other');
  }
  if (supersedes === id) throw fault('/supersedes', 'must be another upgrade');
  if (signers === undefined) return;
  const { threshold, emergencyThreshold, holders } = signers;
  if (new Set(holders).size < holders.length) throw fault('/signers/holders', 'must be distinct');
  if (Number(emergencyThreshold) < Number(threshold) || Number(emergencyThreshold) > holders.length) {
    throw fault('/signers', 'must have a threshold, then an emergency threshold, that its holders can reach');
  }
}

/**
 * Reads a plan as it is signed and stored: text, booleans and lists only.
 * @throws KmcError E_SCHEMA with pointers.
 */
export function readPlan(value: unknown): UpgradePlan {
  const optional = Object.entries(OPTIONAL).filter(([name]) => isObject(value) && Object.hasOwn(value, name));
  requireMembers<PlanBody & { schema: string }>(
    value,
    { ...PLAN, ...Object.fromEntries(optional) } as Readonly<Record<keyof PlanBody | 'schema', MemberCheck>>,
    'plan of a root upgrade',
  );
  requireMembers<OldGeneration>(value.from, OLD, 'old generation of the plan');
  requireMembers<NewGeneration>(value.to, NEW, 'new generation of the plan');
  if (value.standby !== undefined) requireMembers(value.standby, STANDBY, 'standby root of the plan');
  if (value.signers !== undefined) requireMembers<NewSigners>(value.signers, SIGNERS, 'signers of the plan');
  requireCoherent(value);
  return {
    id: value.id,
    kind: value.kind,
    bundle: value.bundle,
    from: value.from,
    to: value.to,
    standby: value.standby,
    ends: readSignedTime(value.ends) ?? new Date(Number.NaN),
    signers: value.signers,
    waves: readWaves(value.waves),
    gates: readGates(value.gates, value.kind),
    independentVerifiers: Number(value.independentVerifiers),
    capabilityReport: value.capabilityReport,
    supersedes: value.supersedes,
  };
}

/** `sm3:<hex>` over the canonical JSON of a plan. */
export function planDigest(plan: SignedObject): string {
  return `sm3:${sm3(Buffer.from(canonicalizeSigned(plan), 'utf8')).toString('hex')}`;
}

/** @throws KmcError E_SCHEMA unless the value is of the signed profile. */
export function requirePlanBody(value: unknown): SignedObject {
  if (isSignedObject(value)) return value;
  throw new KmcError('E_SCHEMA', 'A plan holds text, true and false, lists and objects only.');
}

/** A reason or a cause, as people state it with a transition. */
export const STATED_TEXT = plainText(500);
