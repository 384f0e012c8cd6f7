import type { AuditSource } from '../../domain/audit/event.ts';
import { auditActor, type Caller, type DeviceCaller } from '../../domain/caller.ts';
import { faultOf, readDeviceReport, type DeviceReport } from '../../domain/fleet/device-report.ts';
import { positionsAfter } from '../../domain/fleet/position.ts';
import { newId } from '../../domain/id.ts';
import { readSignedTime } from '../../domain/signed-body.ts';
import { readManifest } from '../../domain/trust/manifest.ts';
import { KmcError } from '../../errors.ts';
import type { RequestProof } from '../access/authenticate-request.ts';
import { rootKeyOf } from '../authorities/authority-line.ts';
import type { Instance } from '../instance.ts';
import type { Reader, Transaction } from '../ports/database.ts';
import type { CanaryChallengeRow, DeviceReportRow } from '../ports/device-reports.ts';

export interface AcceptReportInput {
  readonly proof: RequestProof;
  readonly requestId?: string;
}

/** Days for which a used pair counts as used, and how far the clock of a device may be ahead. */
const USED_MS = 14 * 86_400_000;
const AHEAD_MS = 300_000;
/** The same report again within this time is the one that stands: its answer was lost. */
const REPEAT_MS = 600_000;

interface Scene {
  readonly caller: DeviceCaller;
  readonly report: DeviceReport;
  readonly proof: RequestProof;
  readonly at: Date;
  readonly source: AuditSource;
}

/**
 * The highest version that the device has in its store after this report: fetching alone puts nothing there.
 * @throws KmcError E_STALE for a version below it.
 */
async function installedVersion(reader: Reader, { caller, report }: Scene): Promise<number> {
  const installed = (await reader.deviceReports.device(caller.id))?.bundleVersion ?? 0;
  const reported = Number(report.bundleVersion);
  if (reported < installed) {
    throw new KmcError('E_STALE', `The device has installed version ${installed}: versions only rise.`);
  }
  return report.level === 'FETCHED' ? installed : reported;
}

/** The challenge that the report answers. @throws KmcError E_STATE when it is over, another's, or of other leaves. */
async function requireCanary(reader: Reader, { caller, report, at }: Scene): Promise<CanaryChallengeRow | undefined> {
  const { canary } = report;
  if (canary === undefined) return undefined;
  const challenge = await reader.deviceReports.canary(canary.nonce);
  const fits =
    challenge !== undefined &&
    challenge.deviceId === caller.id &&
    at < challenge.expiresAt &&
    challenge.leafSm3 === canary.leafSm3 &&
    challenge.decoySm3 === canary.decoySm3;
  if (!fits) throw new KmcError('E_STATE', 'The canary is none that was given to this device and is open.');
  if (canary.accepted && canary.pathSpki.at(-1) !== challenge.rootSm3) {
    throw new KmcError('E_STATE', 'The path of the canary does not end at the root that it is of.');
  }
  return challenge;
}

/** The root over the pair that the device works with. @throws KmcError E_STATE for a pair that is none of it. */
async function requirePair(reader: Reader, { caller, report, at }: Scene): Promise<string | undefined> {
  if (report.certificates === undefined) return undefined;
  const { sign, enc, usedAt } = report.certificates;
  const halves = [await reader.certificates.findByDigest(sign), await reader.certificates.findByDigest(enc)];
  const [first, second] = halves;
  const isPair =
    first?.pairId !== undefined &&
    first.pairId === second?.pairId &&
    first.id !== second.id &&
    halves.every((half) => half?.deviceId === caller.id && half.status === 'good' && at <= half.notAfter);
  if (!isPair) throw new KmcError('E_STATE', 'The certificates are no pair of this device that is in force.');
  // Whoever says to hold the new pair says it with its key.
  if (caller.certificateSm3 !== sign) {
    throw new KmcError('E_FORBIDDEN', 'MIGRATED is reported under the new signing certificate.');
  }
  const used = readSignedTime(usedAt)?.getTime() ?? Number.NaN;
  if (used > at.getTime() + AHEAD_MS || used < at.getTime() - USED_MS) {
    throw new KmcError('E_STATE', 'The pair was not used within the last 14 days, or its use lies in the future.');
  }
  return await rootKeyOf(reader, first.authorityId);
}

async function versionOfReport(reader: Reader, report: DeviceReport) {
  const published = await reader.trustBundles.find(report.bundle, Number(report.bundleVersion));
  if (published?.digest === report.bundleDigest) return readManifest(published.manifest).body;
  throw new KmcError('E_STATE', 'No version of that bundle with that digest was published.');
}

/** The same report, stored a moment ago. */
async function findRepeat(reader: Reader, { caller, proof, at }: Scene): Promise<DeviceReportRow | undefined> {
  const known = await reader.deviceReports.device(caller.id);
  if (known === undefined || at.getTime() - known.seenAt.getTime() > REPEAT_MS) return undefined;
  const last = await reader.deviceReports.report(known.reportId);
  return last?.body.equals(proof.body) === true && last.certificateSm3 === caller.certificateSm3 ? last : undefined;
}

async function keepFirmware(tx: Transaction, { caller, report, at }: Scene): Promise<void> {
  const device = await tx.devices.find(caller.id);
  if (device === undefined || device.firmware === report.firmware) return;
  if (await tx.devices.setFirmware(device.id, device.version, report.firmware, at)) return;
  throw new KmcError('E_CONFLICT', 'The device changed at the same time. Send the report again.');
}

async function store(tx: Transaction, scene: Scene, row: DeviceReportRow): Promise<void> {
  const { caller, report } = scene;
  const bundleVersion = await installedVersion(tx, scene);
  const challenge = await requireCanary(tx, scene);
  const subjectRoot = challenge?.rootSm3 ?? (await requirePair(tx, scene));
  const manifest = await versionOfReport(tx, report);
  const before = await tx.deviceReports.positions(caller.id);
  const positions = positionsAfter({ report, manifest, before, subjectRoot });
  if (challenge !== undefined && !(await tx.deviceReports.takeCanary(challenge.nonce))) {
    throw new KmcError('E_STATE', 'The canary was answered at the same time.');
  }
  await tx.deviceReports.insertReport(row);
  const { bundle, reportedAt: seenAt, id: reportId } = row;
  if (!(await tx.deviceReports.putDevice({ deviceId: caller.id, bundle, bundleVersion, seenAt, reportId }))) {
    throw new KmcError('E_CONFLICT', 'The device made another report at the same time. Send this one again.');
  }
  for (const position of positions)
    await tx.deviceReports.putPosition({ ...position, ...carrier(before, position, row) });
  await keepFirmware(tx, scene);
  await recordReport(tx, scene, row);
}

/** The report that carries a position: this one, unless it says less of that root than the one before. */
function carrier(
  before: readonly { readonly rootSm3: string; readonly level: string; readonly reportId: string }[],
  { rootSm3, level }: { readonly rootSm3: string; readonly level: string },
  row: DeviceReportRow,
): { readonly deviceId: string; readonly reportId: string } {
  const known = before.find((each) => each.rootSm3 === rootSm3);
  const keeps = known?.level === level && level !== row.level;
  return { deviceId: row.deviceId, reportId: keeps ? known.reportId : row.id };
}

async function recordReport(tx: Transaction, { caller, report, source }: Scene, row: DeviceReportRow): Promise<void> {
  await tx.audit.append(
    {
      id: row.lastAuditEvent,
      action: 'device.report',
      outcome: row.fault === undefined ? 'success' : 'failure',
      subjects: [{ type: 'device', id: caller.id }],
      actor: auditActor(caller),
      source,
      detail: {
        bundle: report.bundle,
        bundleVersion: row.bundleVersion,
        digest: report.bundleDigest,
        level: report.level,
        region: caller.region,
        ...(row.fault === undefined ? {} : { fault: row.fault }),
      },
    },
    row.reportedAt,
  );
}

/**
 * Takes in what a device reports of itself, with the signed request that says so as evidence: that it has a version of the
 * bundle, that anchors stand in its operational store, that it passed the canary proof of a root, that it works with a pair
 * of it. Versions only rise, and no level is skipped. The same report twice within ten minutes is one.
 * @throws KmcError E_FORBIDDEN (no device, or MIGRATED under another certificate), E_JSON, E_SIZE, E_SCHEMA; E_STALE (a
 * version below one that was reported); E_STATE (no such version, a level skipped, a canary that is not open, a pair that
 * is not the device's or was not used).
 */
export async function acceptReport(
  ports: Pick<Instance, 'database' | 'clock' | 'node'>,
  caller: Caller,
  { proof, requestId }: AcceptReportInput,
): Promise<DeviceReportRow> {
  if (caller.type !== 'device') throw new KmcError('E_FORBIDDEN', 'A report is made by the device itself.');
  const report = readDeviceReport(proof.body);
  const at = ports.clock.now();
  const source = { node: ports.node, ...(requestId === undefined ? {} : { request: requestId }) };
  const scene: Scene = { caller, report, proof, at, source };
  const repeated = await ports.database.read((reader) => findRepeat(reader, scene));
  if (repeated !== undefined) return repeated;
  const row: DeviceReportRow = {
    id: newId('rep', at),
    deviceId: caller.id,
    level: report.level,
    bundle: report.bundle,
    bundleVersion: Number(report.bundleVersion),
    fault: faultOf(report),
    body: proof.body,
    signatureBase: proof.base,
    signature: proof.signature,
    certificateSm3: caller.certificateSm3,
    reportedAt: at,
    lastAuditEvent: newId('ev', at),
  };
  await ports.database.transaction((tx) => store(tx, scene, row));
  return row;
}
