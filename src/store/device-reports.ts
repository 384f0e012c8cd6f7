import type {
  CanaryChallengeRow,
  DeviceReportRow,
  DeviceReportWriter,
  FleetDeviceRow,
  FleetPositionRow,
} from '../flows/ports/device-reports.ts';
import { levelColumn } from './fleet-columns.ts';
import { byCount, type Sql } from './sql.ts';
import { blob, inParts, integer, optional, ROWS_TOGETHER, Table, text, time, won, word } from './table.ts';

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
const REPORTS_BY_ID = byCount(ROWS_TOGETHER, (rows) => `where id in (${rows('?')}) order by id`);

export class StoredDeviceReports implements DeviceReportWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  report(id: string): Promise<DeviceReportRow | undefined> {
    return REPORTS.find(this.#sql, 'where id = ?', id);
  }

  async reports(ids: readonly string[]): Promise<DeviceReportRow[]> {
    const found: DeviceReportRow[] = [];
    for (const part of inParts(ids)) found.push(...(await REPORTS.all(this.#sql, REPORTS_BY_ID(part.length), ...part)));
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
}
