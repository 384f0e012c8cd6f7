import type { Reader } from '../ports/database.ts';

/** How a canary ring covers the gateways in service. */
export interface RingCover {
  readonly devices: number;
  /** Models with their firmware, and regions, of which no device is in the ring; ids that are no gateway in service. */
  readonly missingModels: readonly string[];
  readonly missingRegions: readonly string[];
  readonly unknown: readonly string[];
  /** How many regions it reaches. */
  readonly regions: number;
}

interface Described {
  readonly vendor: string;
  readonly model: string;
  readonly firmware: string | undefined;
}

const named = ({ vendor, model, firmware }: Described): string =>
  `${vendor} ${model} ${firmware ?? 'unknown firmware'}`;

/** Compares a ring with the registry: each model with its firmware, and each region, has a device in it (A.5, T4). */
export async function coverRing(reader: Reader, deviceIds: readonly string[]): Promise<RingCover> {
  const models = new Set<string>();
  const regions = new Set<string>();
  const unknown: string[] = [];
  for (const id of deviceIds) {
    const device = await reader.devices.find(id);
    if (device?.status !== 'in-service' || device.kind !== 'gateway') {
      unknown.push(id);
      continue;
    }
    models.add(named(device));
    regions.add(device.region);
  }
  const estate = await reader.fleet.estate();
  const missing = (all: readonly string[], there: ReadonlySet<string>): string[] =>
    [...new Set(all)].filter((name) => !there.has(name)).sort();
  return {
    devices: deviceIds.length,
    missingModels: missing(estate.map(named), models),
    missingRegions: missing(
      estate.map(({ region }) => region),
      regions,
    ),
    unknown,
    regions: regions.size,
  };
}
