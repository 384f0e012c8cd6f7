import type { FleetLevel } from '../../domain/fleet/levels.ts';
import { fleetReadiness, LISTED_STRAGGLERS, type FleetReadiness } from '../../domain/fleet/readiness.ts';
import type { Reader } from '../ports/database.ts';
import type { FleetView, MemberFilter } from '../ports/fleet.ts';

/**
 * How ready the fleet of an upgrade is for the step that asks for `goal`, as the database counts it.
 * @returns undefined while the upgrade has no members.
 */
export async function readReadiness(
  reader: Reader,
  view: FleetView,
  goal: FleetLevel,
  filter: Pick<MemberFilter, 'region'> = {},
): Promise<FleetReadiness | undefined> {
  const standings = await reader.fleet.standings(view, filter);
  if (standings.length === 0) return undefined;
  const stragglers = await reader.fleet.stragglers(view, goal, LISTED_STRAGGLERS);
  const evidence = await reader.fleet.evidenceAge(view);
  const { region } = filter;
  const listed = region === undefined ? stragglers : stragglers.filter((member) => member.region === region);
  return fleetReadiness({ at: view.at, goal, standings, stragglers: listed, evidence });
}
