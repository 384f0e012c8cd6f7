/** The gates of the fleet: what devices themselves must have proved (A.5, T4 to T8). */
import { reachesShare, type FleetReadiness } from '../fleet/readiness.ts';
import type { UpgradeFacts } from './facts.ts';
import { gateText } from './gates.ts';
import { DAY_MS, HOUR_MS, share, unless, type Found, type Guard } from './guard-kit.ts';

const isHub = ({ tier }: { readonly tier: string }): boolean => tier === 'hub';

/** A guard over the figures; without any, nothing is proved. */
function overFleet(check: (fleet: FleetReadiness, facts: UpgradeFacts) => Found): Guard {
  return (facts) =>
    facts.fleet === undefined
      ? [{ text: 'No device has been offered the new manifest yet.' }]
      : check(facts.fleet, facts);
}

/** The gates of READY over one set of figures: those of now, or those of the snapshot. */
function readyGates(fleet: FleetReadiness, facts: UpgradeFacts): Found {
  const { overall, hub, regions, terminals } = fleet;
  const { gates } = facts.plan;
  const all = { counts: overall, whose: 'gateways' };
  return [
    ...share(fleet, facts, { ...all, level: 'INSTALLED', gate: 'installed-overall' }),
    ...regions.flatMap(({ region, ...counts }) =>
      share(fleet, facts, {
        counts,
        level: 'INSTALLED',
        gate: 'installed-region',
        whose: `gateways of ${region}`,
        of: (device) => device.region === region,
      }),
    ),
    ...share(fleet, facts, {
      counts: hub,
      level: 'INSTALLED',
      gate: 'installed-hub',
      whose: 'hub gateways',
      of: isHub,
    }),
    ...share(fleet, facts, { ...all, level: 'VERIFIED', gate: 'verified-overall' }),
    ...share(fleet, facts, { counts: hub, level: 'VERIFIED', gate: 'verified-hub', whose: 'hub gateways', of: isHub }),
    ...unless(
      overall.dark * 10_000 <= overall.counted * gates.dark,
      `${overall.dark} of ${overall.counted} gateways were not seen for 30 days; the plan allows ${gateText('dark', gates.dark)} %.`,
      { devices: fleet.stragglers.listed.filter(({ dark }) => dark).map(({ id }) => id) },
    ),
    ...(terminals === undefined
      ? []
      : unless(
          reachesShare(terminals.reached.FETCHED, terminals.counted, gates['terminals-fetched']),
          `${terminals.reached.FETCHED} of ${terminals.counted} terminals have fetched the manifest; the plan asks for ` +
            `${gateText('terminals-fetched', gates['terminals-fetched'])} %.`,
        )),
  ];
}

function evidenceAge(fleet: FleetReadiness, { now, plan }: UpgradeFacts): Found {
  const { newest } = fleet.evidence;
  const days = plan.gates['evidence-days'];
  return unless(
    newest !== undefined && now.getTime() - newest.getTime() <= days * DAY_MS,
    `The newest report is from ${newest?.toISOString() ?? 'never'}; evidence may be ${days} days old.`,
  );
}

/** The canary ring covers the estate. */
export const ringCovers: Guard = ({ ring, plan }) => {
  if (ring === undefined || ring.devices === 0) return [{ text: 'State the devices of the canary ring.' }];
  const wanted = plan.gates['ring-regions'];
  return [
    ...unless(ring.unknown.length === 0, 'Devices of the ring are not in service.', { devices: ring.unknown }),
    ...unless(ring.missingModels.length === 0, `No device of these in the ring: ${ring.missingModels.join('; ')}.`),
    ...unless(
      ring.missingRegions.length === 0,
      `No device of these regions in the ring: ${ring.missingRegions.join(', ')}.`,
    ),
    ...unless(ring.regions >= wanted, `The ring reaches ${ring.regions} regions; the plan asks for ${wanted}.`),
  ];
};

/** Every device of the ring has proved that it validates with the new anchor. */
export const ringVerified: Guard = overFleet((fleet) => {
  const { counted, reached } = fleet.ring;
  return unless(
    counted > 0 && reached.VERIFIED === counted,
    `${reached.VERIFIED} of ${counted} devices of the ring are VERIFIED.`,
    {
      devices: fleet.stragglers.listed
        .filter(({ level }) => level !== 'VERIFIED' && level !== 'MIGRATED')
        .map(({ id }) => id),
      numbers: { reached: String(reached.VERIFIED), counted: String(counted) },
    },
  );
});

/** All waves are open: everybody was offered the manifest. */
export const allWavesOpen: Guard = ({ plan, waves }) =>
  unless(waves.opened >= plan.waves.length, `${waves.opened} of ${plan.waves.length} waves are open.`);

/** T6 on the figures of now. */
export const fleetReady: Guard = overFleet((fleet, facts) => [
  ...readyGates(fleet, facts),
  ...evidenceAge(fleet, facts),
]);

/** A snapshot whose figures pass, and whose digest the auditor attested after it was taken. */
function snapshotGuard(gates: (fleet: FleetReadiness, facts: UpgradeFacts) => Found): Guard {
  return (facts) => {
    const { snapshot } = facts;
    if (snapshot === undefined) return [{ text: 'There is no snapshot of the evidence: take one.' }];
    const isAttested = facts.attested.some(
      ({ kind, passed, documentSm3 }) => kind === 'evidence-digest' && passed && documentSm3 === snapshot.digest,
    );
    return [
      ...unless(isAttested, `No auditor attested the digest of the newest snapshot, ${snapshot.digest}.`),
      ...gates(snapshot.readiness, facts),
    ];
  };
}

const within = (facts: UpgradeFacts, amount: number, unitMs: number, unit: string): Found => {
  const { snapshot, now } = facts;
  const isFresh = snapshot !== undefined && now.getTime() - snapshot.at.getTime() <= amount * unitMs;
  return unless(isFresh, `The snapshot is older than ${amount} ${unit}: take a new one.`);
};

/** T6, R3: the evidence that people sign. */
export const readySnapshot: Guard = (facts) => [
  ...snapshotGuard(readyGates)(facts),
  ...within(facts, facts.plan.gates['evidence-days'], DAY_MS, 'days'),
];

/** T7: it still passes, and it is of today. */
export const freshSnapshot: Guard = (facts) => [
  ...snapshotGuard(readyGates)(facts),
  ...within(facts, facts.plan.gates['snapshot-hours'], HOUR_MS, 'hours'),
];

function migratedGates(fleet: FleetReadiness, facts: UpgradeFacts): Found {
  const all = { counts: fleet.overall, whose: 'gateways' };
  return [
    ...unless(
      fleet.hub.oldInUse === 0,
      `${fleet.hub.oldInUse} hub gateways used the old generation in the last 14 days.`,
    ),
    ...share(fleet, facts, { ...all, level: 'MIGRATED', gate: 'migrated-overall' }),
    ...share(fleet, facts, {
      counts: fleet.hub,
      level: 'MIGRATED',
      gate: 'migrated-hub',
      whose: 'hub gateways',
      of: isHub,
    }),
  ];
}

/** T8 on the figures of now. MIGRATED means that the certificates were used in the last 14 days. */
export const fleetMigrated: Guard = overFleet(migratedGates);

/** T8: the evidence that people sign. */
export const migratedSnapshot: Guard = (facts) => [
  ...snapshotGuard(migratedGates)(facts),
  ...within(facts, facts.plan.gates['evidence-days'], DAY_MS, 'days'),
];

/** T9: whoever has not migrated is waived, or will be quarantined. Those without a waiver are named. */
export const stragglersSettled: Guard = overFleet((fleet) =>
  unless(fleet.stragglers.total === 0, `${fleet.stragglers.total} gateways have neither migrated nor a waiver.`, {
    devices: fleet.stragglers.listed.map(({ id }) => id),
    numbers: { stragglers: String(fleet.stragglers.total) },
  }),
);

/** T10: no certificate of the old generation is in use any more that no waiver covers. */
export const noOldLeaf: Guard = ({ oldLeaves }) =>
  unless(oldLeaves.total === 0, `${oldLeaves.total} certificates of the old generation have not ended.`, {
    devices: [...new Set(oldLeaves.listed.map(({ device }) => device))],
    numbers: { certificates: String(oldLeaves.total) },
  });
