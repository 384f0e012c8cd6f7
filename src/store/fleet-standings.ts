import { fleetLimits, rankOf, type FleetLevel } from '../domain/fleet/levels.ts';
import type { FleetEvidenceAge, FleetMember, FleetStanding } from '../domain/fleet/readiness.ts';
import type { Page } from '../flows/ports/database.ts';
import type { FleetView, MemberFilter, ReportedMember } from '../flows/ports/fleet.ts';
import { pageLimit } from './list.ts';
import { levelColumn } from './fleet-columns.ts';
import type { Binding, Sql } from './sql.ts';
import { decodeRecord, flag, integer, optional, text, time, word, type Columns } from './table.ts';

interface MemberRecord extends Omit<FleetMember, 'level'> {
  readonly level: FleetLevel;
  readonly reportId: string | undefined;
}

const STANDING: Columns<FleetStanding> = {
  kind: word<FleetStanding['kind']>(),
  region: text,
  tier: word<FleetStanding['tier']>(),
  vendor: text,
  model: text,
  firmware: optional(text),
  ring: flag,
  wave: optional(integer),
  level: levelColumn,
  dark: flag,
  silent: flag,
  faulty: flag,
  oldInUse: flag,
  waived: flag,
  count: integer,
};
const MEMBER: Columns<MemberRecord> = {
  id: text,
  serial: text,
  kind: word<FleetStanding['kind']>(),
  region: text,
  tier: word<FleetStanding['tier']>(),
  vendor: text,
  model: text,
  firmware: optional(text),
  ring: flag,
  wave: optional(integer),
  level: levelColumn,
  fault: optional(text),
  oldUsedAt: optional(time),
  offeredAt: optional(time),
  seenAt: optional(time),
  waivedUntil: optional(time),
  reportId: optional(text),
};
const AGE: Columns<FleetEvidenceAge> = { reports: integer, oldest: optional(time), newest: optional(time) };

const MIGRATED = rankOf('MIGRATED');
const VERIFIED = rankOf('VERIFIED');

/** Values for the placeholders of MEMBERS, in their order. */
function membersOf({ upgradeId, rootSm3, at }: FleetView): Binding[] {
  return [time.encode(fleetLimits(at).used), time.encode(at), rootSm3, upgradeId];
}

/** The members of an upgrade with where they stand: one row each. */
const MEMBERS = `
  select m.device_id as id, d.serial, d.kind, d.region, d.tier, d.vendor, d.model, d.firmware, m.ring, m.wave, m.offered_at,
    f.seen_at, p.fault, p.old_used_at, p.report_id,
    case when p.level = ${MIGRATED} and (p.used_at is null or p.used_at < ?) then ${VERIFIED}
         else coalesce(p.level, 0) end as level,
    (select max(w.ends_at) from fleet_waivers w
      where w.upgrade_id = m.upgrade_id and w.device_id = m.device_id and w.ends_at > ?) as waived_until
  from fleet_members m
  join devices d on d.id = m.device_id
  left join fleet_devices f on f.device_id = m.device_id
  left join fleet_positions p on p.root_sm3 = ? and p.device_id = m.device_id
  where m.upgrade_id = ? and d.status <> 'decommissioned'`;

const STANDINGS = `
  select kind, region, tier, vendor, model, firmware, ring, wave, level, dark, silent, faulty, old_in_use, waived, count(*) as count
  from (
    select kind, region, tier, vendor, model, firmware, ring, wave, level,
      case when coalesce(seen_at, offered_at) < ? then 1 else 0 end as dark,
      case when level in (1, 2) and seen_at < ? then 1 else 0 end as silent,
      case when fault is null then 0 else 1 end as faulty,
      case when old_used_at >= ? then 1 else 0 end as old_in_use,
      case when waived_until is null then 0 else 1 end as waived
    from (${MEMBERS}) standing) marked
  where region = ? or ? = ''
  group by kind, region, tier, vendor, model, firmware, ring, wave, level, dark, silent, faulty, old_in_use, waived`;

const IS_SHORT = "kind = 'gateway' and waived_until is null and level < ?";

/** How the members of an upgrade stand: what the database counts and lists. */
export class FleetStandings {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async standings(view: FleetView, region = ''): Promise<FleetStanding[]> {
    const { dark, silent, used } = fleetLimits(view.at);
    const limits = [dark, silent, used].map((limit) => time.encode(limit));
    const records = await this.#sql.all(STANDINGS, ...limits, ...membersOf(view), region, region);
    return records.map((record) => decodeRecord(STANDING, record));
  }

  async members(view: FleetView, { below, region = '' }: MemberFilter, page: Page): Promise<ReportedMember[]> {
    const short = below === undefined ? '' : `and ${IS_SHORT}`;
    const records = await this.#sql.all(
      `select * from (${MEMBERS}) standing
       where id > ? and (region = ? or ? = '') ${short} order by id limit ?`,
      ...membersOf(view),
      page.after ?? '',
      region,
      region,
      ...(below === undefined ? [] : [rankOf(below)]),
      pageLimit(page),
    );
    return records.map((record) => {
      const { reportId, ...member } = decodeRecord(MEMBER, record);
      return { member, reportId };
    });
  }

  async stragglers(view: FleetView, below: FleetLevel, limit: number): Promise<FleetMember[]> {
    const records = await this.#sql.all(
      `select * from (${MEMBERS}) standing where ${IS_SHORT}
       order by case when offered_at is null then 1 else 0 end, offered_at, id limit ?`,
      ...membersOf(view),
      rankOf(below),
      pageLimit({ limit }),
    );
    return records.map((record) => {
      const { reportId: _reportId, ...member } = decodeRecord(MEMBER, record);
      return member;
    });
  }

  async evidenceAge({ upgradeId, rootSm3 }: FleetView): Promise<FleetEvidenceAge> {
    const [record = {}] = await this.#sql.all(
      `select count(*) as reports, min(r.reported_at) as oldest, max(r.reported_at) as newest
       from fleet_members m
       join fleet_positions p on p.root_sm3 = ? and p.device_id = m.device_id
       join device_reports r on r.id = p.report_id
       where m.upgrade_id = ?`,
      rootSm3,
      upgradeId,
    );
    return decodeRecord(AGE, record);
  }
}
