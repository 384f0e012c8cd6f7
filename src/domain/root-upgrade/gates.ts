/**
 * The numbers that the guards compare with (A.5). A plan states those in which it differs; people who approve it see each
 * one that is weaker than the default.
 */
import { KmcError } from '../../errors.ts';
import type { UpgradeKind } from './states.ts';

/** `share`: hundredths of a per cent, written as a decimal per cent (`99.9`). `count`: devices, regions, days or hours. */
type GateUnit = 'share' | 'count';

interface GateRule {
  readonly unit: GateUnit;
  readonly standard: number;
  /** The default of another kind of upgrade, where it differs. */
  readonly standardOf?: Readonly<Partial<Record<UpgradeKind, number>>>;
  /** Whether a greater number is the stricter one. */
  readonly stricter: 'greater' | 'smaller';
  /** For people. */
  readonly text: string;
}

function atLeast(unit: GateUnit, standard: number, text: string, others?: GateRule['standardOf']): GateRule {
  return { unit, standard, stricter: 'greater', text, ...(others === undefined ? {} : { standardOf: others }) };
}

function atMost(unit: GateUnit, standard: number, text: string): GateRule {
  return { unit, standard, stricter: 'smaller', text };
}

export const GATES = {
  'ring-regions': atLeast('count', 32, 'regions with a device in the canary ring'),
  'soak-days': atLeast('count', 7, 'days of the pilot', { REKEY: 14 }),
  'wave-hours': atLeast('count', 24, 'hours between two waves'),
  'wave-failures': atMost('share', 50, 'share of a wave that may fail before the upgrade pauses by itself'),
  'hold-down-days': atLeast('count', 30, 'days from the first publication to READY'),
  'installed-overall': atLeast('share', 9990, 'share of gateways that have the anchor installed'),
  'installed-region': atLeast('share', 9950, 'the same in each region'),
  'installed-hub': atLeast('share', 10_000, 'the same of hub and backbone gateways'),
  'verified-overall': atLeast('share', 9950, 'share of gateways with a canary proof'),
  'verified-hub': atLeast('share', 10_000, 'the same of hub and backbone gateways'),
  dark: atMost('share', 50, 'share of gateways not seen for 30 days'),
  'terminals-fetched': atLeast('share', 9900, 'share of terminals that have the manifest, where there are any'),
  'evidence-days': atMost('count', 7, 'days that evidence for READY may be old'),
  'snapshot-hours': atMost('count', 24, 'hours that the snapshot may be old when the issuer is switched'),
  'migrated-overall': atLeast('share', 9990, 'share of gateways that work with new certificates'),
  'migrated-hub': atLeast('share', 10_000, 'the same of hub and backbone gateways'),
  'old-issuing-days': atLeast('count', 180, 'days that the old issuing CA must have left for a roll-back'),
  'distrust-days': atLeast('count', 30, 'days from retiring the old anchor to distrusting it'),
  'remove-hold-down-days': atLeast('count', 30, 'days from removing the old anchor to closing'),
} as const satisfies Readonly<Record<string, GateRule>>;

export type GateName = keyof typeof GATES;
export const GATE_NAMES = Object.keys(GATES) as readonly GateName[];
export type GateNumbers = Readonly<Record<GateName, number>>;

const WRITTEN: Readonly<Record<GateUnit, RegExp>> = {
  share: /^(?:100(?:\.00?)?|[0-9]{1,2}(?:\.[0-9]{1,2})?)$/,
  count: /^(?:0|[1-9][0-9]{0,4})$/,
};

function standardOf(name: GateName, kind: UpgradeKind): number {
  const rule: GateRule = GATES[name];
  return rule.standardOf?.[kind] ?? rule.standard;
}

/** A number as people write it: `99.9` or `30`. */
export function gateText(name: GateName, value: number): string {
  return GATES[name].unit === 'share' ? String(value / 100) : String(value);
}

/** Reads one number. @throws KmcError E_SCHEMA. */
function readGate(name: GateName, text: string): number {
  const { unit } = GATES[name];
  if (!WRITTEN[unit].test(text)) {
    const what = unit === 'share' ? 'a per cent with at most two decimals' : 'a whole number';
    throw new KmcError('E_SCHEMA', `The gate ${name} must be ${what}.`, {
      pointers: [{ pointer: `/gates/${name}`, detail: `must be ${what}` }],
    });
  }
  return unit === 'share' ? Math.round(Number(text) * 100) : Number(text);
}

/**
 * The numbers of a plan: the defaults of part A, but for what the plan states.
 * @throws KmcError E_SCHEMA for a gate that is not in the table, or a number of another form.
 */
export function readGates(stated: Readonly<Record<string, string>>, kind: UpgradeKind): GateNumbers {
  const unknown = Object.keys(stated).find((name) => !Object.hasOwn(GATES, name));
  if (unknown !== undefined) throw new KmcError('E_SCHEMA', `There is no gate ${unknown}.`);
  return Object.fromEntries(
    GATE_NAMES.map((name) => {
      const text = stated[name];
      return [name, text === undefined ? standardOf(name, kind) : readGate(name, text)];
    }),
  ) as GateNumbers;
}

/** Each gate that is weaker than part A asks, in words: what approvers of the plan are told. */
export function weakerGates(gates: GateNumbers, kind: UpgradeKind): string[] {
  return GATE_NAMES.flatMap((name) => {
    const { stricter } = GATES[name];
    const standard = standardOf(name, kind);
    const weaker = stricter === 'greater' ? gates[name] < standard : gates[name] > standard;
    return weaker ? [`${name}: ${gateText(name, standard)} -> ${gateText(name, gates[name])}`] : [];
  });
}
