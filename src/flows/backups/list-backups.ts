import type { BackupRow } from '../ports/backups.ts';
import type { Instance } from '../instance.ts';

const SHOWN = 1000;

/** A backup in the list, and whether its file lies with this process. */
export interface ListedBackup extends BackupRow {
  readonly isHere: boolean;
}

/** The newest backups first, at most a thousand. */
export async function listBackups(ports: Pick<Instance, 'database' | 'backupFiles'>): Promise<readonly ListedBackup[]> {
  const rows = await ports.database.read((reader) => reader.backups.newest(SHOWN));
  return rows.map((row) => ({ ...row, isHere: ports.backupFiles.exists(row.id) }));
}
