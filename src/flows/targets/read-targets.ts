import type { Caller } from '../../domain/caller.ts';
import { forecastPeriod, progressOf, slopeOf, validSeries, type Progress } from '../../domain/supervision/targets.ts';
import type { RegistrationAuthorityState } from '../../domain/registration-authority.ts';
import type { Instance } from '../instance.ts';
import { regionsOfReading } from '../supervision/figure-access.ts';

export interface AuthorityProgress extends Progress {
  readonly id: string;
  readonly region: string;
  readonly state: RegistrationAuthorityState;
}

export interface ReadTargets {
  /** YYYY-MM-DD, UTC. */
  readonly day: string;
  /** Of the whole estate; absent for a caller who sees one region. */
  readonly total: Progress | undefined;
  /** Of the authorities that are in service or were and are suspended. */
  readonly authorities: readonly AuthorityProgress[];
}

const ALL = { limit: 1_000 };
const COUNTED: readonly RegistrationAuthorityState[] = ['in-service', 'suspended'];

/**
 * The targets of policy with progress and forecast, in all and for each registration authority that has been brought into
 * service: for an ra-operator that of the own region.
 * @throws KmcError E_FORBIDDEN; E_NOT_FOUND for a region of others.
 */
export async function readTargets(
  { database, clock, policies }: Pick<Instance, 'database' | 'clock' | 'policies'>,
  caller: Caller,
  region?: string,
): Promise<ReadTargets> {
  const regions = regionsOfReading(caller, region);
  const day = clock.now().toISOString().slice(0, 10);
  const { certificates, perRegistrationAuthority } = policies.targets;
  return await database.snapshot(async (reader) => {
    const cells = await reader.supervision.totalsFor(forecastPeriod(day), regions);
    const progress = (target: number, registrar?: string): Progress => {
      const { valid, days } = validSeries(cells, day, registrar);
      return progressOf(target, valid, slopeOf(days), day);
    };
    const rows = await reader.registrationAuthorities.list({}, ALL);
    return {
      day,
      total: regions === undefined ? progress(certificates) : undefined,
      authorities: rows
        .filter((row) => COUNTED.includes(row.state) && (regions?.includes(row.region) ?? true))
        .map(({ id, region: code, state }) => ({ id, region: code, state, ...progress(perRegistrationAuthority, id) })),
    };
  });
}
