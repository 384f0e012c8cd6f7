/** How guards say what stands in the way. */
import { hasReached, type FleetLevel } from '../fleet/levels.ts';
import { reachesShare, type FleetCounts, type FleetReadiness } from '../fleet/readiness.ts';
import type { AttestationKind } from './attestation.ts';
import { ATTESTATION_KINDS } from './attestation.ts';
import type { Blocker } from '../../errors.ts';
import type { UpgradeFacts } from './facts.ts';
import { gateText, type GateName } from './gates.ts';

/** A guard answers with what blocks; nothing when it holds. */
export type Guard = (facts: UpgradeFacts) => readonly Omit<Blocker, 'guard'>[];
export type Found = ReturnType<Guard>;

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** Names of devices in one blocker at most; the count beside them is whole. */
const MOST_DEVICES = 100;

/** One blocker unless the condition holds. */
export function unless(holds: boolean, text: string, more: Omit<Blocker, 'guard' | 'text'> = {}): Found {
  return holds ? [] : [{ text, ...more }];
}

/** Passed attestations of that kind; a later one that failed takes back those before it. */
function passedAttestations(facts: Pick<UpgradeFacts, 'attested'>, kind: AttestationKind): number {
  const of = facts.attested.filter((fact) => fact.kind === kind).toSorted((a, b) => a.at.getTime() - b.at.getTime());
  const failed = of.findLastIndex(({ passed }) => !passed);
  return new Set(of.slice(failed + 1).map(({ documentSm3 }) => documentSm3)).size;
}

/** A guard that wants so many passed attestations of a kind. */
export function attested(kind: AttestationKind, wanted: (facts: UpgradeFacts) => number = () => 1): Guard {
  return (facts) => {
    const [have, want] = [passedAttestations(facts, kind), wanted(facts)];
    const { by, text } = ATTESTATION_KINDS[kind];
    return unless(have >= want, `It is not attested that ${text} (${kind}, by the role ${by}).`, {
      numbers: { attested: String(have), wanted: String(want) },
    });
  };
}

/** Blocks until `gate` days or hours have gone by since a moment. */
export function waited(
  since: Date | undefined,
  gate: GateName,
  unitMs: number,
  what: string,
  facts: UpgradeFacts,
): Found {
  const wanted = facts.plan.gates[gate];
  if (since === undefined) return [{ text: `${what} has not begun.` }];
  const until = new Date(since.getTime() + wanted * unitMs);
  const unit = unitMs === DAY_MS ? 'days' : 'hours';
  return unless(facts.now >= until, `${what} lasts ${wanted} ${unit}, until ${until.toISOString()}.`, {
    numbers: { wanted: String(wanted), gone: ((facts.now.getTime() - since.getTime()) / unitMs).toFixed(2) },
  });
}

/** The stragglers below a level, by name. */
function devicesBelow(
  fleet: FleetReadiness,
  level: FleetLevel,
  of: (device: { region: string; tier: string }) => boolean,
): string[] {
  return fleet.stragglers.listed
    .filter((device) => !hasReached(device.level, level) && of(device))
    .map(({ id }) => id)
    .slice(0, MOST_DEVICES);
}

export interface ShareAsked {
  readonly counts: FleetCounts;
  readonly level: FleetLevel;
  readonly gate: GateName;
  /** For people: `gateways`, `gateways of 110000`. */
  readonly whose: string;
  readonly of?: (device: { readonly region: string; readonly tier: string }) => boolean;
}

/** Blocks while fewer than the share of the gate have reached a level; names who has not. */
export function share(fleet: FleetReadiness, facts: UpgradeFacts, asked: ShareAsked): Found {
  const { counts, level, gate, whose, of = () => true } = asked;
  const reached = counts.reached[level];
  const wanted = facts.plan.gates[gate];
  return unless(
    reachesShare(reached, counts.counted, wanted),
    `${reached} of ${counts.counted} ${whose} are ${level}; the plan asks for ${gateText(gate, wanted)} %.`,
    {
      devices: devicesBelow(fleet, level, of),
      numbers: { reached: String(reached), counted: String(counts.counted), wanted: gateText(gate, wanted) },
    },
  );
}
