import type { EvidenceLeaf } from '../../domain/fleet/evidence.ts';
import { parseStrictJson } from '../../crypto/jcs.ts';
import { isSignedObject, type SignedObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { authorityLine } from '../authorities/authority-line.ts';
import type { Database, Page, Reader } from '../ports/database.ts';
import { leafReport } from './take-snapshot.ts';

/** A leaf of a snapshot, with what an auditor needs to verify it (DER). */
export interface ShownLeaf {
  readonly leaf: EvidenceLeaf;
  readonly certificate: Buffer | undefined;
  /** The CAs over the certificate, the issuing one first. */
  readonly chain: readonly Buffer[];
}

function memberIn(text: string): SignedObject {
  const value: unknown = parseStrictJson(text);
  if (isSignedObject(value)) return value;
  throw new KmcError('E_INTEGRITY', 'A stored leaf of the evidence cannot be read. Check the database.');
}

/** Chains of the authorities that one page names. */
class Chains {
  readonly #reader: Reader;
  readonly #known = new Map<string, Promise<readonly Buffer[]>>();

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  of(authorityId: string): Promise<readonly Buffer[]> {
    const known =
      this.#known.get(authorityId) ??
      authorityLine(this.#reader, authorityId).then((line) => line.map(({ certificate }) => certificate));
    this.#known.set(authorityId, known);
    return known;
  }
}

/**
 * One page of the leaves of a snapshot, in the order of device ids, with certificates.
 * @throws KmcError E_NOT_FOUND when the upgrade has no such snapshot.
 */
export async function showEvidence(
  { database }: { readonly database: Database },
  { upgradeId, snapshotId }: { readonly upgradeId: string; readonly snapshotId: string },
  page: Page,
): Promise<ShownLeaf[]> {
  return await database.read(async (reader) => {
    const snapshot = await reader.fleet.snapshot(snapshotId);
    if (snapshot?.upgradeId !== upgradeId) throw new KmcError('E_NOT_FOUND', 'There is no such snapshot.');
    const rows = await reader.fleet.snapshotMembers(snapshotId, page);
    const ids = rows.flatMap(({ reportId }) => reportId ?? []);
    const reports = new Map((await reader.deviceReports.reports(ids)).map((row) => [row.id, row]));
    const chains = new Chains(reader);
    const shown: ShownLeaf[] = [];
    for (const { member, reportId } of rows) {
      const report = reportId === undefined ? undefined : reports.get(reportId);
      const leaf = { member: memberIn(member), ...(report === undefined ? {} : { report: leafReport(report) }) };
      const row = report === undefined ? undefined : await reader.certificates.findByDigest(report.certificateSm3);
      const chain = row === undefined ? [] : await chains.of(row.authorityId);
      shown.push({ leaf, certificate: row?.certificate, chain });
    }
    return shown;
  });
}
