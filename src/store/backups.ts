import type { BackupRow, BackupState, BackupWriter, RestorationRow } from '../flows/ports/backups.ts';
import type { Sql } from './sql.ts';
import { integer, optional, Table, text, time, won, word } from './table.ts';

const BACKUPS = new Table<BackupRow>('backups', {
  id: text,
  requestId: text,
  state: word<BackupState>(),
  takenAt: time,
  expiresAt: time,
  size: integer,
  contentSm3: text,
  keystoreEpoch: integer,
  setId: text,
  node: text,
  verifiedAt: optional(time),
  lastAuditEvent: text,
});

const KEKS = new Table<{ readonly backupId: string; readonly kek: string }>('backup_keks', {
  backupId: text,
  kek: text,
});

const RESTORATIONS = new Table<RestorationRow>('restorations', {
  id: text,
  backupId: text,
  takenAt: time,
  origin: text,
  previousOrigin: text,
  begunAt: time,
  finishedAt: optional(time),
});

export class StoredBackups implements BackupWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(id: string): Promise<BackupRow | undefined> {
    return BACKUPS.find(this.#sql, 'where id = ?', id);
  }

  newest(limit: number): Promise<BackupRow[]> {
    return BACKUPS.all(this.#sql, 'order by taken_at desc, id desc limit ?', limit);
  }

  async count(): Promise<number> {
    const [record] = await this.#sql.all('select count(*) as backups from backups');
    return integer.decode(record?.['backups']);
  }

  async countHolding(kek: string, at: Date): Promise<number> {
    const [record] = await this.#sql.all(
      `select count(*) as backups from backup_keks k join backups b on b.id = k.backup_id
       where k.kek = ? and b.expires_at > ?`,
      kek,
      time.encode(at),
    );
    return integer.decode(record?.['backups']);
  }

  openRestoration(): Promise<RestorationRow | undefined> {
    return RESTORATIONS.find(this.#sql, 'where finished_at is null order by id limit 1');
  }

  restorations(): Promise<RestorationRow[]> {
    return RESTORATIONS.all(this.#sql, 'order by begun_at, id');
  }

  async insert(row: BackupRow, keks: readonly string[]): Promise<boolean> {
    if (!(await BACKUPS.insert(this.#sql, row))) return false;
    await KEKS.insertAll(
      this.#sql,
      keks.map((kek) => ({ backupId: row.id, kek })),
    );
    return true;
  }

  verify(id: string, at: Date, auditEvent: string): Promise<boolean> {
    const statement = "update backups set state = 'verified', verified_at = ?, last_audit_event = ? where id = ?";
    return won(this.#sql.run(statement, time.encode(at), auditEvent, id));
  }

  beginRestoration(row: Omit<RestorationRow, 'finishedAt'>): Promise<void> {
    return RESTORATIONS.insertAll(this.#sql, [{ ...row, finishedAt: undefined }]);
  }

  finishRestoration(id: string, at: Date): Promise<boolean> {
    const statement = 'update restorations set finished_at = ? where id = ? and finished_at is null';
    return won(this.#sql.run(statement, time.encode(at), id));
  }
}
