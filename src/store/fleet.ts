import type { FleetLevel } from '../domain/fleet/levels.ts';
import { KmcError } from '../errors.ts';
import type { Page } from '../flows/ports/database.ts';
import type {
  EstateRow,
  FleetSnapshotRow,
  FleetView,
  FleetWaiverRow,
  FleetWriter,
  MemberFilter,
  SnapshotMemberRow,
} from '../flows/ports/fleet.ts';
import { FleetStandings } from './fleet-standings.ts';
import { pageLimit } from './list.ts';
import { byCount, type Sql } from './sql.ts';
import {
  blob,
  decodeRecord,
  inParts,
  integer,
  optional,
  ROWS_TOGETHER,
  Table,
  text,
  time,
  type Columns,
} from './table.ts';

const WAIVERS = new Table<FleetWaiverRow>('fleet_waivers', {
  id: text,
  upgradeId: text,
  deviceId: text,
  number: integer,
  reason: text,
  requestId: text,
  grantedAt: time,
  endsAt: time,
  lastAuditEvent: text,
});
const SNAPSHOTS = new Table<FleetSnapshotRow>('fleet_snapshots', {
  id: text,
  upgradeId: text,
  digest: text,
  body: blob,
  members: integer,
  takenAt: time,
  lastAuditEvent: text,
});
const SNAPSHOT_MEMBERS = new Table<SnapshotMemberRow>('fleet_snapshot_members', {
  snapshotId: text,
  deviceId: text,
  member: text,
  reportId: optional(text),
});

const ESTATE: Columns<EstateRow> = { vendor: text, model: text, firmware: optional(text), region: text };

/** `not exists` and not `on conflict`: SQLite takes a join of a select for a conflict clause. */
const ENLIST = `insert into fleet_members (upgrade_id, device_id, ring, wave, offered_at, joined_at)
  select cast(? as text), d.id, 0, null, null, cast(? as text) from devices d
  where d.spki_sm3 is not null and d.status <> 'decommissioned'
    and not exists (select 1 from fleet_members m where m.upgrade_id = ? and m.device_id = d.id)`;
const RING = byCount(
  ROWS_TOGETHER,
  (rows) => `insert into fleet_members (upgrade_id, device_id, ring, wave, offered_at, joined_at)
    select cast(? as text), d.id, 1, 0, cast(? as text), cast(? as text) from devices d
    where d.id in (${rows('?')}) and d.spki_sm3 is not null and d.status <> 'decommissioned'
      and not exists (select 1 from fleet_members m where m.upgrade_id = ? and m.device_id = d.id)`,
);
const WAVE = byCount(
  ROWS_TOGETHER,
  (rows) => `update fleet_members set wave = ?, offered_at = ?
    where upgrade_id = ? and wave is null and device_id in (${rows('?')})`,
);

export class StoredFleet implements FleetWriter {
  readonly #sql: Sql;
  readonly #standings: FleetStandings;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.#standings = new FleetStandings(sql);
  }

  standings(view: FleetView, filter: Pick<MemberFilter, 'region'> = {}) {
    return this.#standings.standings(view, filter.region);
  }

  members(view: FleetView, filter: MemberFilter, page: Page) {
    return this.#standings.members(view, filter, page);
  }

  stragglers(view: FleetView, below: FleetLevel, limit: number) {
    return this.#standings.stragglers(view, below, limit);
  }

  evidenceAge(view: FleetView) {
    return this.#standings.evidenceAge(view);
  }

  waivers(upgradeId: string, deviceId: string): Promise<FleetWaiverRow[]> {
    return WAIVERS.all(this.#sql, 'where upgrade_id = ? and device_id = ? order by number', upgradeId, deviceId);
  }

  listWaivers(upgradeId: string, page: Page): Promise<FleetWaiverRow[]> {
    const condition = 'where upgrade_id = ? and id > ? order by id limit ?';
    return WAIVERS.all(this.#sql, condition, upgradeId, page.after ?? '', pageLimit(page));
  }

  snapshot(id: string): Promise<FleetSnapshotRow | undefined> {
    return SNAPSHOTS.find(this.#sql, 'where id = ?', id);
  }

  latestSnapshot(upgradeId: string): Promise<FleetSnapshotRow | undefined> {
    return SNAPSHOTS.find(this.#sql, 'where upgrade_id = ? order by id desc limit 1', upgradeId);
  }

  snapshotMembers(snapshotId: string, page: Page): Promise<SnapshotMemberRow[]> {
    const condition = 'where snapshot_id = ? and device_id > ? order by device_id limit ?';
    return SNAPSHOT_MEMBERS.all(this.#sql, condition, snapshotId, page.after ?? '', pageLimit(page));
  }

  async enlistRing(upgradeId: string, deviceIds: readonly string[], at: Date): Promise<number> {
    const now = time.encode(at);
    let enlisted = 0;
    for (const part of inParts(deviceIds)) {
      enlisted += await this.#sql.run(RING(part.length), upgradeId, now, now, ...part, upgradeId);
    }
    return enlisted;
  }

  enlistFleet(upgradeId: string, at: Date): Promise<number> {
    return this.#sql.run(ENLIST, upgradeId, time.encode(at), upgradeId);
  }

  async waiting(upgradeId: string, regions: readonly string[] | undefined, page: Page): Promise<string[]> {
    const query = this.#sql.dialect
      .builder('fleet_members as m')
      .join('devices as d', 'd.id', 'm.device_id')
      .select('m.device_id')
      .where('m.upgrade_id', upgradeId)
      .whereNull('m.wave')
      .where('m.device_id', '>', page.after ?? '')
      .orderBy('m.device_id')
      .limit(pageLimit(page));
    if (regions !== undefined) query.whereIn('d.region', [...regions]);
    return (await this.#sql.query(query)).map((record) => text.decode(record['device_id']));
  }

  async estate(): Promise<EstateRow[]> {
    const records = await this.#sql.all(
      `select distinct vendor, model, firmware, region from devices where kind = 'gateway' and status = 'in-service'`,
    );
    return records.map((record) => decodeRecord(ESTATE, record));
  }

  async rootOf(upgradeId: string): Promise<string | undefined> {
    const [scope] = await this.#sql.all('select root_sm3 from fleet_scopes where upgrade_id = ?', upgradeId);
    return scope === undefined ? undefined : text.decode(scope['root_sm3']);
  }

  async setRoot(upgradeId: string, rootSm3: string): Promise<void> {
    const statement = 'insert into fleet_scopes (upgrade_id, root_sm3) values (?, ?) on conflict do nothing';
    await this.#sql.run(statement, upgradeId, rootSm3);
    if ((await this.rootOf(upgradeId)) === rootSm3) return;
    throw new KmcError('E_CONFLICT', 'The fleet of this upgrade is measured against another root.');
  }

  async isMember(upgradeId: string, deviceId: string): Promise<boolean> {
    const statement = 'select ring from fleet_members where upgrade_id = ? and device_id = ?';
    return (await this.#sql.all(statement, upgradeId, deviceId)).length === 1;
  }

  async isOffered(upgradeId: string, deviceId: string): Promise<boolean> {
    const [member] = await this.#sql.all(
      'select wave from fleet_members where upgrade_id = ? and device_id = ? and wave is not null',
      upgradeId,
      deviceId,
    );
    return member !== undefined;
  }

  async waived(upgradeId: string, at: Date): Promise<string[]> {
    const records = await this.#sql.all(
      'select distinct device_id from fleet_waivers where upgrade_id = ? and ends_at > ? order by device_id',
      upgradeId,
      time.encode(at),
    );
    return records.map((record) => text.decode(record['device_id']));
  }

  beginLastWave(upgradeId: string, wave: number, at: Date): Promise<number> {
    return this.#sql.run(
      'update fleet_members set wave = ?, offered_at = ? where upgrade_id = ? and wave is null',
      wave,
      time.encode(at),
      upgradeId,
    );
  }

  async beginWave(upgradeId: string, wave: number, deviceIds: readonly string[], at: Date): Promise<number> {
    let begun = 0;
    for (const part of inParts(deviceIds)) {
      begun += await this.#sql.run(WAVE(part.length), wave, time.encode(at), upgradeId, ...part);
    }
    return begun;
  }

  insertWaiver(row: FleetWaiverRow): Promise<boolean> {
    return WAIVERS.insert(this.#sql, row);
  }

  async insertSnapshot(row: FleetSnapshotRow, members: readonly SnapshotMemberRow[]): Promise<boolean> {
    if (!(await SNAPSHOTS.insert(this.#sql, row))) return false;
    await SNAPSHOT_MEMBERS.insertAll(this.#sql, members);
    return true;
  }
}
