import type { FleetLevel } from '../domain/fleet/levels.ts';
import { KmcError } from '../errors.ts';
import type { Page } from '../flows/ports/database.ts';
import type {
  CanaryChallengeRow,
  DeviceReportRow,
  EstateRow,
  FleetDeviceRow,
  FleetPositionRow,
  FleetSnapshotRow,
  FleetView,
  FleetWaiverRow,
  FleetWriter,
  MemberFilter,
  SnapshotMemberRow,
} from '../flows/ports/fleet.ts';
import { levelColumn } from './fleet-columns.ts';
import { FleetStandings } from './fleet-standings.ts';
import { pageLimit } from './list.ts';
import { byCount, type Sql } from './sql.ts';
import {
  blob,
  decodeRecord,
  integer,
  optional,
  ROWS_TOGETHER,
  Table,
  text,
  time,
  won,
  word,
  type Columns,
} from './table.ts';

const REPORTS = new Table<DeviceReportRow>('device_reports', {
  id: text,
  deviceId: text,
  level: word<DeviceReportRow['level']>(),
  bundle: text,
  bundleVersion: integer,
  fault: optional(text),
  body: blob,
  signatureBase: blob,
  signature: blob,
  certificateSm3: text,
  reportedAt: time,
  lastAuditEvent: text,
});
const DEVICES = new Table<FleetDeviceRow>('fleet_devices', {
  deviceId: text,
  bundle: text,
  bundleVersion: integer,
  seenAt: time,
  reportId: text,
});
const POSITIONS = new Table<FleetPositionRow>('fleet_positions', {
  rootSm3: text,
  deviceId: text,
  level: levelColumn,
  fault: optional(text),
  usedAt: optional(time),
  oldUsedAt: optional(time),
  reportId: text,
});
const CANARIES = new Table<CanaryChallengeRow>('canary_challenges', {
  nonce: text,
  deviceId: text,
  rootSm3: text,
  leafSm3: text,
  decoySm3: text,
  decoy: blob,
  expiresAt: time,
});
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

const REPORTS_BY_ID = byCount(ROWS_TOGETHER, (rows) => `where id in (${rows('?')}) order by id`);
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

function* parts<T>(list: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < list.length; at += ROWS_TOGETHER) yield list.slice(at, at + ROWS_TOGETHER);
}

export class StoredFleet implements FleetWriter {
  readonly #sql: Sql;
  readonly #standings: FleetStandings;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.#standings = new FleetStandings(sql);
  }

  report(id: string): Promise<DeviceReportRow | undefined> {
    return REPORTS.find(this.#sql, 'where id = ?', id);
  }

  async reports(ids: readonly string[]): Promise<DeviceReportRow[]> {
    const found: DeviceReportRow[] = [];
    for (const part of parts(ids)) found.push(...(await REPORTS.all(this.#sql, REPORTS_BY_ID(part.length), ...part)));
    return found;
  }

  device(deviceId: string): Promise<FleetDeviceRow | undefined> {
    return DEVICES.find(this.#sql, 'where device_id = ?', deviceId);
  }

  positions(deviceId: string): Promise<FleetPositionRow[]> {
    return POSITIONS.all(this.#sql, 'where device_id = ? order by root_sm3', deviceId);
  }

  canary(nonce: string): Promise<CanaryChallengeRow | undefined> {
    return CANARIES.find(this.#sql, 'where nonce = ?', nonce);
  }

  canariesOf(deviceId: string, after: Date): Promise<CanaryChallengeRow[]> {
    const condition = 'where device_id = ? and expires_at > ? order by expires_at desc, nonce';
    return CANARIES.all(this.#sql, condition, deviceId, time.encode(after));
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

  insertReport(row: DeviceReportRow): Promise<boolean> {
    return REPORTS.insert(this.#sql, row);
  }

  putDevice(row: FleetDeviceRow): Promise<boolean> {
    return won(
      this.#sql.run(
        `insert into fleet_devices (device_id, bundle, bundle_version, seen_at, report_id) values (?, ?, ?, ?, ?)
         on conflict (device_id) do update set bundle = excluded.bundle, bundle_version = excluded.bundle_version,
           seen_at = excluded.seen_at, report_id = excluded.report_id
         where fleet_devices.bundle_version <= excluded.bundle_version and fleet_devices.seen_at <= excluded.seen_at`,
        ...DEVICES.encode(row),
      ),
    );
  }

  async putPosition(row: FleetPositionRow): Promise<void> {
    await this.#sql.run(
      `insert into fleet_positions (root_sm3, device_id, level, fault, used_at, old_used_at, report_id)
       values (?, ?, ?, ?, ?, ?, ?)
       on conflict (root_sm3, device_id) do update set level = excluded.level, fault = excluded.fault,
         used_at = excluded.used_at, old_used_at = excluded.old_used_at, report_id = excluded.report_id`,
      ...POSITIONS.encode(row),
    );
  }

  insertCanary(row: CanaryChallengeRow): Promise<boolean> {
    return CANARIES.insert(this.#sql, row);
  }

  takeCanary(nonce: string): Promise<boolean> {
    return won(this.#sql.run('delete from canary_challenges where nonce = ?', nonce));
  }

  purgeCanaries(before: Date, limit: number): Promise<number> {
    return this.#sql.run(
      `delete from canary_challenges where nonce in (
         select nonce from canary_challenges where expires_at < ? order by expires_at limit ?)`,
      time.encode(before),
      limit,
    );
  }

  async enlistRing(upgradeId: string, deviceIds: readonly string[], at: Date): Promise<number> {
    const now = time.encode(at);
    let enlisted = 0;
    for (const part of parts(deviceIds)) {
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
    for (const part of parts(deviceIds)) {
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
