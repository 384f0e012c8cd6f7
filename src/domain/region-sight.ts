/** Which regions a person sees: holders of a role of the centre all of them, others those of their grants. */
import type { PersonCaller } from './caller.ts';
import { ROLES } from './roles.ts';

export type RegionSight = 'all' | readonly string[];

/** What the person sees by the roles that it holds. */
export function regionSight({ roles }: Pick<PersonCaller, 'roles'>): RegionSight {
  if (roles.some(({ role }) => !ROLES[role].regional)) return 'all';
  return [...new Set(roles.flatMap(({ region }) => (region === undefined ? [] : [region])))].sort();
}

/** True when something of that region, or of none (undefined), is within the sight. */
export function isInSight(sight: RegionSight, region: string | undefined): boolean {
  return sight === 'all' || (region !== undefined && sight.includes(region));
}
