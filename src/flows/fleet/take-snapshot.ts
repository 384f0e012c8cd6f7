import { sm3 } from '../../crypto/gm/sm3.ts';
import { CompactRange, leafHash } from '../../domain/audit/tree.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import {
  EVIDENCE_SCHEMA,
  evidenceDigest,
  evidenceText,
  leafBytes,
  memberLeaf,
  memberOfLeaf,
  type EvidenceBody,
  type EvidenceLeaf,
} from '../../domain/fleet/evidence.ts';
import type { FleetLevel } from '../../domain/fleet/levels.ts';
import { readinessOfMembers, type FleetMember } from '../../domain/fleet/readiness.ts';
import { readinessBody } from '../../domain/fleet/readiness-body.ts';
import { ageOf, signedAt } from '../../domain/fleet/verify-evidence.ts';
import { newId } from '../../domain/id.ts';
import { canonicalizeSigned } from '../../crypto/jcs.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import type { Reader } from '../ports/database.ts';
import type { DeviceReportRow } from '../ports/device-reports.ts';
import type { FleetSnapshotRow, FleetView, SnapshotMemberRow } from '../ports/fleet.ts';

export interface TakeSnapshotInput {
  readonly upgradeId: string;
  /** The level that the next step asks for. */
  readonly goal: FleetLevel;
  readonly requestId?: string;
}

/** Members in one read. */
const PAGE = 500;

/** A report as it stands in a leaf. */
export function leafReport(row: DeviceReportRow): NonNullable<EvidenceLeaf['report']> {
  return {
    body: row.body.toString('base64'),
    base: row.signatureBase.toString('base64'),
    signature: row.signature.toString('base64'),
    certificate: row.certificateSm3,
  };
}

/** What was gathered of the fleet: all of one moment. */
interface Gathered {
  readonly members: readonly FleetMember[];
  readonly rows: readonly Omit<SnapshotMemberRow, 'snapshotId'>[];
  readonly times: readonly Date[];
  readonly merkleRoot: string;
}

async function gather(reader: Reader, view: FleetView): Promise<Gathered> {
  const tree = new CompactRange(sm3);
  const members: FleetMember[] = [];
  const rows: Omit<SnapshotMemberRow, 'snapshotId'>[] = [];
  const times: Date[] = [];
  for (let after: string | undefined = ''; after !== undefined;) {
    const page = await reader.fleet.members(view, {}, { limit: PAGE, after });
    after = page.length < PAGE ? undefined : page.at(-1)?.member.id;
    const ids = page.flatMap(({ reportId }) => reportId ?? []);
    const reports = new Map((await reader.deviceReports.reports(ids)).map((row) => [row.id, row]));
    for (const { member, reportId } of page) {
      const report = reportId === undefined ? undefined : reports.get(reportId);
      const leaf: EvidenceLeaf = {
        member: memberLeaf(member),
        ...(report === undefined ? {} : { report: leafReport(report) }),
      };
      tree.append(leafHash(sm3, leafBytes(leaf)));
      // Figures are those of the leaves, whose times are in whole seconds.
      members.push(memberOfLeaf(leaf));
      rows.push({ deviceId: member.id, member: canonicalizeSigned(leaf.member), reportId });
      times.push(...[signedAt(leaf) ?? []].flat());
    }
  }
  return { members, rows, times, merkleRoot: `sm3:${tree.root().toString('hex')}` };
}

/**
 * Freezes the evidence of a fleet: figures, and a Merkle tree over every member with the signed report that put it where it
 * is. Its digest is what approvers and the auditor sign.
 * @throws KmcError E_STATE while the upgrade has no members.
 */
export async function takeSnapshot(
  ports: Pick<Instance, 'database' | 'clock' | 'node'>,
  caller: Caller,
  { upgradeId, goal, requestId }: TakeSnapshotInput,
): Promise<FleetSnapshotRow> {
  const at = new Date(Math.floor(ports.clock.now().getTime() / 1000) * 1000);
  const id = newId('snap', at);
  const { rootSm3, gathered } = await ports.database.snapshot(async (reader) => {
    const found = await reader.fleet.rootOf(upgradeId);
    if (found === undefined) throw new KmcError('E_STATE', 'The upgrade has no members yet: there is no evidence.');
    return { rootSm3: found, gathered: await gather(reader, { upgradeId, rootSm3: found, at }) };
  });
  const { members, rows, times, merkleRoot } = gathered;
  const body: EvidenceBody = {
    schema: EVIDENCE_SCHEMA,
    id,
    upgrade: upgradeId,
    root: rootSm3,
    takenAt: signedTime(at),
    members: String(members.length),
    merkleRoot,
    readiness: readinessBody(readinessOfMembers(members, { at, goal, evidence: ageOf(times) })),
  };
  const row: FleetSnapshotRow = {
    id,
    upgradeId,
    digest: evidenceDigest(body),
    body: Buffer.from(evidenceText(body), 'utf8'),
    members: members.length,
    takenAt: at,
    lastAuditEvent: newId('ev', at),
  };
  await ports.database.transaction(async (tx) => {
    await tx.fleet.insertSnapshot(
      row,
      rows.map((member) => ({ ...member, snapshotId: id })),
    );
    await tx.audit.append(
      {
        id: row.lastAuditEvent,
        action: 'fleet.snapshot',
        outcome: 'success',
        subjects: [{ type: 'fleet', id: upgradeId }],
        actor: auditActor(caller),
        source: { node: ports.node, ...(requestId === undefined ? {} : { request: requestId }) },
        detail: { upgrade: upgradeId, root: rootSm3, digest: row.digest, count: members.length, level: goal },
      },
      at,
    );
  });
  return row;
}
