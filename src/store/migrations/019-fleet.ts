/**
 * What the fleet does in a root upgrade (enrolment-and-root-upgrade A.5): signed reports of devices and where each device
 * stands by them, canary challenges, members of an upgrade with their waivers, evidence snapshots, re-issued pairs.
 */
import type { Knex } from 'knex';
import {
  lastAuditEvent,
  oneOf,
  refuse,
  refuseDeletion,
  runAll,
  schemaWords,
  type SchemaWords,
} from './schema-words.ts';

export async function up(knex: Knex): Promise<void> {
  const words = schemaWords(knex);
  await reports(knex, words);
  await members(knex, words);
  await snapshots(knex, words);
  await reissues(knex, words);
  for (const table of ['device_reports', 'fleet_waivers', 'fleet_snapshots', 'fleet_snapshot_members', 'reissues']) {
    await refuseDeletion(knex, table);
  }
  for (const table of ['device_reports', 'fleet_snapshots', 'fleet_snapshot_members']) {
    await refuse(knex, {
      table,
      name: 'unchanged',
      on: 'update',
      when: 'true',
      message: 'KMC E_FORBIDDEN Evidence of the fleet is never changed.',
    });
  }
}

async function reports(knex: Knex, words: SchemaWords): Promise<void> {
  const { text, integer, blob, strict } = words;
  await runAll(knex, [
    `create table device_reports (
       id ${text} not null primary key,
       device_id ${text} not null references devices (id),
       level ${text} not null ${oneOf('level', ['FETCHED', 'INSTALLED', 'VERIFIED', 'MIGRATED'])},
       bundle ${text} not null,
       bundle_version ${integer} not null,
       fault ${text},
       body ${blob} not null,
       signature_base ${blob} not null,
       signature ${blob} not null,
       certificate_sm3 ${text} not null,
       reported_at ${text} not null,
       ${lastAuditEvent(words)}
     )${strict}`,
    'create index device_reports_by_device on device_reports (device_id, id)',
    'create index device_reports_by_event on device_reports (last_audit_event)',
    `create table fleet_devices (
       device_id ${text} not null primary key references devices (id),
       bundle ${text} not null,
       bundle_version ${integer} not null,
       seen_at ${text} not null,
       report_id ${text} not null references device_reports (id)
     )${strict}`,
    // level is the place in the order of levels, from 0.
    `create table fleet_positions (
       root_sm3 ${text} not null,
       device_id ${text} not null references devices (id),
       level ${integer} not null check (level between 0 and 4),
       fault ${text},
       used_at ${text},
       old_used_at ${text},
       report_id ${text} not null references device_reports (id),
       primary key (root_sm3, device_id)
     )${strict}`,
    'create index fleet_positions_by_device on fleet_positions (device_id)',
    `create table canary_challenges (
       nonce ${text} not null primary key,
       device_id ${text} not null references devices (id),
       root_sm3 ${text} not null,
       leaf_sm3 ${text} not null,
       decoy_sm3 ${text} not null,
       decoy ${blob} not null,
       expires_at ${text} not null
     )${strict}`,
    'create index canary_challenges_by_end on canary_challenges (expires_at)',
    'create index canary_challenges_by_device on canary_challenges (device_id, expires_at)',
  ]);
}

async function members(knex: Knex, words: SchemaWords): Promise<void> {
  const { text, integer, strict } = words;
  await runAll(knex, [
    // Which root the fleet of an upgrade is measured against.
    `create table fleet_scopes (
       upgrade_id ${text} not null primary key,
       root_sm3 ${text} not null
     )${strict}`,
    `create table fleet_members (
       upgrade_id ${text} not null,
       device_id ${text} not null references devices (id),
       ring ${integer} not null check (ring in (0, 1)),
       wave ${integer} check (wave >= 0),
       offered_at ${text},
       joined_at ${text} not null,
       primary key (upgrade_id, device_id),
       check ((wave is null) = (offered_at is null))
     )${strict}`,
    'create index fleet_members_by_device on fleet_members (device_id)',
    // A waiver may be renewed once (A.5).
    `create table fleet_waivers (
       id ${text} not null primary key,
       upgrade_id ${text} not null,
       device_id ${text} not null references devices (id),
       number ${integer} not null check (number in (1, 2)),
       reason ${text} not null,
       request_id ${text} not null references requests (id),
       granted_at ${text} not null,
       ends_at ${text} not null,
       ${lastAuditEvent(words)},
       unique (upgrade_id, device_id, number)
     )${strict}`,
    'create index fleet_waivers_by_event on fleet_waivers (last_audit_event)',
    'create index fleet_waivers_by_end on fleet_waivers (ends_at)',
  ]);
  await refuse(knex, {
    table: 'fleet_members',
    name: 'kept',
    on: 'delete',
    when: 'true',
    message:
      'KMC E_FORBIDDEN The denominator of an upgrade is frozen: a device leaves it by decommissioning or waiver.',
  });
}

async function snapshots(knex: Knex, words: SchemaWords): Promise<void> {
  const { text, integer, blob, strict } = words;
  await runAll(knex, [
    `create table fleet_snapshots (
       id ${text} not null primary key,
       upgrade_id ${text} not null,
       digest ${text} not null unique,
       body ${blob} not null,
       members ${integer} not null,
       taken_at ${text} not null,
       ${lastAuditEvent(words)}
     )${strict}`,
    'create index fleet_snapshots_by_upgrade on fleet_snapshots (upgrade_id, id)',
    'create index fleet_snapshots_by_event on fleet_snapshots (last_audit_event)',
    `create table fleet_snapshot_members (
       snapshot_id ${text} not null references fleet_snapshots (id),
       device_id ${text} not null references devices (id),
       member ${text} not null,
       report_id ${text} references device_reports (id),
       primary key (snapshot_id, device_id)
     )${strict}`,
  ]);
}

async function reissues(knex: Knex, words: SchemaWords): Promise<void> {
  const { text, integer, blob, strict } = words;
  await runAll(knex, [
    `alter table enrolments add column bundle_version ${integer}`,
    // One pair for each device and generation: whoever comes second is refused by the primary key.
    `create table reissues (
       root_sm3 ${text} not null,
       device_id ${text} not null references devices (id),
       enrolment_id ${text} not null references enrolments (id),
       issued_at ${text} not null,
       primary key (root_sm3, device_id)
     )${strict}`,
    'create index reissues_by_device on reissues (device_id)',
    `create table reissue_jobs (
       id ${text} not null primary key,
       upgrade_id ${text} not null,
       per_minute ${integer} not null check (per_minute > 0),
       created_by ${text} not null,
       created_at ${text} not null,
       worked_at ${text} not null,
       ${lastAuditEvent(words)}
     )${strict}`,
    'create index reissue_jobs_by_event on reissue_jobs (last_audit_event)',
    'create index reissue_jobs_by_upgrade on reissue_jobs (upgrade_id, id)',
    `create table reissue_items (
       job_id ${text} not null references reissue_jobs (id),
       device_id ${text} not null references devices (id),
       csr ${blob} not null,
       signature ${blob} not null,
       certificate_sm3 ${text} not null,
       state ${text} not null ${oneOf('state', ['waiting', 'issued', 'refused'])},
       code ${text},
       done_at ${text},
       primary key (job_id, device_id)
     )${strict}`,
    "create index reissue_items_waiting on reissue_items (job_id, device_id) where state = 'waiting'",
    'create index reissue_items_by_device on reissue_items (device_id)',
  ]);
}
