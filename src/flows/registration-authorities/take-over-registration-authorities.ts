import { auditActor, type SystemCaller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import type { RegistrationAuthority } from '../../domain/region.ts';
import type { Instance } from '../instance.ts';
import type { NamedAuthority, RegistrationAuthorityRow } from '../ports/registration-authorities.ts';

export type TakeOverPorts = Pick<Instance, 'database' | 'clock' | 'policies' | 'node'>;

/** Every row of a list that fits into one page: policy has 1,000 at the most. */
const ALL = { limit: 1_000 };

function rowOf(
  { policies }: TakeOverPorts,
  { id, region }: NamedAuthority,
  event: string,
  at: Date,
): RegistrationAuthorityRow {
  const known = policies.registrationAuthorities.find((one) => one.id === id);
  const name = known?.name ?? policies.regions.find(({ code }) => code === region)?.name;
  return {
    id,
    region,
    nameEn: name?.en ?? id,
    nameZh: name?.zh ?? id,
    profiles: Object.keys(policies.deviceProfiles).sort(),
    ...policies.registrationQuota,
    state: 'in-service',
    version: 1,
    appliedAt: at,
    changedAt: at,
    lastAuditEvent: event,
  };
}

async function takeOver(ports: TakeOverPorts, caller: SystemCaller, authority: NamedAuthority): Promise<boolean> {
  const at = ports.clock.now();
  const event = newId('ev', at);
  const row = rowOf(ports, authority, event, at);
  return await ports.database.transaction(async (tx) => {
    if (!(await tx.registrationAuthorities.insert(row))) return false;
    await tx.audit.append(
      {
        id: event,
        action: 'registrar.take-over',
        outcome: 'success',
        subjects: [{ type: 'registration-authority', id: row.id, version: row.version }],
        actor: auditActor(caller),
        source: { node: ports.node },
        detail: {
          region: row.region,
          to: row.state,
          devices: row.devices,
          devicesPerDay: row.devicesPerDay,
          profiles: row.profiles.length,
        },
      },
      at,
    );
    return true;
  });
}

/**
 * Takes over the registration authorities that worked before this service kept the way into service: those of which
 * policy says so, and those under which devices are registered already. Each once: one that has a row, a closed one too,
 * is left as it is. They stand in service, with every device profile and the quotas of policy.
 * @param known which authorities of policy worked before; those marked `in-service` unless told.
 * @returns the ids of those taken over now.
 * @throws KmcError E_STORAGE, E_AUDIT.
 */
export async function takeOverRegistrationAuthorities(
  ports: TakeOverPorts,
  caller: SystemCaller,
  known: (authority: RegistrationAuthority) => boolean = ({ inService }) => inService,
): Promise<readonly string[]> {
  const worked = ports.policies.registrationAuthorities.filter(known);
  const { rows, ofDevices } = await ports.database.read(async ({ registrationAuthorities: reader }) => ({
    rows: await reader.list({}, ALL),
    ofDevices: await reader.unknownOfDevices(),
  }));
  const present = new Set(rows.map(({ id }) => id));
  const missing = new Map([...ofDevices, ...worked].map(({ id, region }) => [id, { id, region }]));
  const taken: string[] = [];
  for (const authority of missing.values()) {
    if (!present.has(authority.id) && (await takeOver(ports, caller, authority))) taken.push(authority.id);
  }
  return taken;
}
