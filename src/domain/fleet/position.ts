/** Where a device stands with one generation of roots, and how its reports move it (A.5). Pure. */
import { KmcError } from '../../errors.ts';
import { isTransportOnly } from '../trust/manifest-consistency.ts';
import type { ManifestBody } from '../trust/manifest.ts';
import { readSignedTime } from '../signed-body.ts';
import { faultOf, type DeviceReport } from './device-report.ts';
import { hasReached, type FleetLevel } from './levels.ts';

export interface Position {
  /** `sm3:<hex>` of the key of the root. */
  readonly rootSm3: string;
  readonly level: FleetLevel;
  readonly fault: string | undefined;
  /** MIGRATED: when the pair was last used. */
  readonly usedAt: Date | undefined;
  /** When a pair of an older generation was. */
  readonly oldUsedAt: Date | undefined;
}

/** What the service knows beside the report when it places a device. */
export interface ReportScene {
  readonly report: DeviceReport;
  /** The version that the report names. */
  readonly manifest: ManifestBody;
  /** Where the device stands until now. */
  readonly before: readonly Position[];
  /** VERIFIED: the root of the canary that it answers; MIGRATED: the root that its pair stands under. */
  readonly subjectRoot: string | undefined;
}

function levelIn(before: readonly Position[], rootSm3: string): FleetLevel {
  return before.find((position) => position.rootSm3 === rootSm3)?.level ?? 'OFFERED';
}

/** @throws KmcError E_STATE when the level before has not been reached: no level is skipped. */
function requireLevel({ report, before, subjectRoot = '' }: ReportScene, wanted: FleetLevel): void {
  if (hasReached(levelIn(before, subjectRoot), wanted)) return;
  throw new KmcError('E_STATE', `A device reports ${report.level} of a root only after ${wanted} of the same root.`);
}

/** The level of one root after the report. */
function levelAfter({ report, before, subjectRoot }: ReportScene, rootSm3: string): FleetLevel {
  const had = levelIn(before, rootSm3);
  if (report.level === 'FETCHED') return hasReached(had, 'FETCHED') ? had : 'FETCHED';
  // What is not in the operational store any more is not installed, whatever was before.
  if (report.anchors?.includes(rootSm3) !== true) return 'FETCHED';
  const installed = hasReached(had, 'INSTALLED') ? had : 'INSTALLED';
  if (rootSm3 !== subjectRoot || report.level === 'INSTALLED') return installed;
  if (report.level === 'MIGRATED') return 'MIGRATED';
  if (faultOf(report) !== undefined) return 'INSTALLED';
  return hasReached(had, 'VERIFIED') ? had : 'VERIFIED';
}

/**
 * The positions that a report leads to: one for each root of the version that it names. A report of a canary proof that
 * failed takes VERIFIED away again; roots that are not in the store any more fall back to FETCHED.
 * @throws KmcError E_STATE for a level that skips one.
 */
export function positionsAfter(scene: ReportScene): Position[] {
  const { report, manifest, subjectRoot } = scene;
  if (report.level === 'VERIFIED') requireLevel(scene, 'INSTALLED');
  if (report.level === 'MIGRATED') requireLevel(scene, 'VERIFIED');
  const roots = manifest.anchors.filter((anchor) => !isTransportOnly(anchor) && anchor.state !== 'DISTRUSTED');
  return roots.map(({ spkiSm3 }) => {
    const isSubject = subjectRoot === undefined || subjectRoot === spkiSm3;
    const used = report.level === 'MIGRATED' && isSubject ? report.certificates : undefined;
    const before = scene.before.find((position) => position.rootSm3 === spkiSm3);
    return {
      rootSm3: spkiSm3,
      level: levelAfter(scene, spkiSm3),
      fault: isSubject ? faultOf(report) : before?.fault,
      usedAt: used === undefined ? before?.usedAt : readSignedTime(used.usedAt),
      oldUsedAt: used === undefined ? before?.oldUsedAt : readSignedTime(used.oldUsedAt ?? ''),
    };
  });
}
