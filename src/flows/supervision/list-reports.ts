import type { Database } from '../ports/database.ts';
import type { SupervisionReportRow } from '../ports/supervision.ts';

/** The months that are over and have their report, oldest first. */
export async function listReports({
  database,
}: {
  readonly database: Database;
}): Promise<readonly Omit<SupervisionReportRow, 'body'>[]> {
  return await database.read(({ supervision }) => supervision.months());
}
