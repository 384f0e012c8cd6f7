/** Applications with their grants, and the managed keys that they use: versions, tombstones, and uses that are reserved. */
import type { Knex } from 'knex';
import { refuseDestroyedKek } from './008-key-life.ts';
import { STORE_OF_STATE, KEY_STATE_WORDS } from './006-escrowed-keys.ts';
import {
  lastAuditEvent,
  oneOf,
  refuseDeletion,
  refuseSilentChange,
  runAll,
  schemaWords,
  type SchemaWords,
} from './schema-words.ts';

export async function up(knex: Knex): Promise<void> {
  const words = schemaWords(knex);
  await applications(knex, words);
  await keys(knex, words);
  await grants(knex, words);
  await uses(knex, words);
  for (const table of ['applications', 'managed_keys', 'managed_key_versions', 'key_grants'])
    await refuseSilentChange(knex, table);
  const kept = [
    'applications',
    'application_certificates',
    'managed_keys',
    'managed_key_versions',
    'managed_key_tombstones',
    'key_grants',
  ];
  for (const table of kept) await refuseDeletion(knex, table);
  await refuseDestroyedKek(knex, 'managed_key_versions', 'db-field', 'sealed_key');
}

async function applications(knex: Knex, words: SchemaWords): Promise<void> {
  const { text, integer, strict } = words;
  await runAll(knex, [
    `create table applications (
       id ${text} not null primary key,
       name ${text} not null,
       unit ${text} not null,
       organisation ${text} not null,
       status ${text} not null ${oneOf('status', ['in-service', 'suspended', 'ended'])},
       version ${integer} not null,
       registered_at ${text} not null,
       changed_at ${text} not null,
       ${lastAuditEvent(words)}
     )${strict}`,
    'create index applications_by_event on applications (last_audit_event)',
    `create table application_certificates (
       certificate_id ${text} not null primary key references certificates (id),
       application_id ${text} not null references applications (id)
     )${strict}`,
    'create index application_certificates_by_application on application_certificates (application_id, certificate_id)',
  ]);
}

async function keys(knex: Knex, words: SchemaWords): Promise<void> {
  const { text, integer, blob, strict } = words;
  const event = `audit_event ${text} not null references audit_event (id) deferrable initially deferred`;
  await runAll(knex, [
    `create table managed_keys (
       id ${text} not null primary key,
       name ${text} not null,
       kind ${text} not null ${oneOf('kind', ['sm4', 'sm2-encrypt', 'sm2-sign', 'hmac-sm3'])},
       origin ${text} not null ${oneOf('origin', ['generated', 'imported'])},
       exportable ${integer} not null check (exportable in (0, 1) and (exportable = 0 or kind <> 'sm2-sign')),
       use_limit ${integer} check (use_limit > 0),
       current_number ${integer} not null check (current_number > 0),
       version ${integer} not null,
       created_at ${text} not null,
       changed_at ${text} not null,
       ${lastAuditEvent(words)}
     )${strict}`,
    'create index managed_keys_by_event on managed_keys (last_audit_event)',
    `create table managed_key_versions (
       id ${text} not null primary key,
       key_id ${text} not null references managed_keys (id) deferrable initially deferred,
       number ${integer} not null,
       state ${text} not null ${oneOf('state', KEY_STATE_WORDS)},
       store ${text} not null check (${STORE_OF_STATE}),
       version ${integer} not null,
       kid ${text} not null,
       spki ${blob},
       spki_sm3 ${text} unique,
       sealed_key ${blob},
       kek_version ${integer} not null,
       object_version ${integer} not null,
       created_at ${text} not null,
       activated_at ${text} not null,
       changed_at ${text} not null,
       state_reason ${text},
       compromised_at ${text},
       destroy_after ${text},
       ${lastAuditEvent(words)},
       unique (key_id, number),
       check ((spki is null) = (spki_sm3 is null)),
       check ((store = 'tombstone') = (sealed_key is null)),
       check (state <> 'destroy-pending' or destroy_after is not null)
     )${strict}`,
    'create index managed_key_versions_by_event on managed_key_versions (last_audit_event)',
    'create index managed_key_versions_by_kek on managed_key_versions (kek_version, id) where sealed_key is not null',
    "create index managed_key_versions_due on managed_key_versions (destroy_after, id) where state = 'destroy-pending'",
    `create table managed_key_tombstones (
       key_id ${text} not null primary key references managed_key_versions (id),
       evidence ${text} not null,
       evidence_sm3 ${text} not null,
       destroyed_at ${text} not null,
       ${event}
     )${strict}`,
    'create index managed_key_tombstones_by_event on managed_key_tombstones (audit_event)',
  ]);
}

async function grants(knex: Knex, words: SchemaWords): Promise<void> {
  const { text, integer, strict } = words;
  await runAll(knex, [
    `create table key_grants (
       application_id ${text} not null references applications (id),
       key_id ${text} not null references managed_keys (id),
       operations ${text} not null,
       version ${integer} not null,
       granted_at ${text} not null,
       changed_at ${text} not null,
       ${lastAuditEvent(words)},
       primary key (application_id, key_id)
     )${strict}`,
    'create index key_grants_by_key on key_grants (key_id, application_id)',
    'create index key_grants_by_event on key_grants (last_audit_event)',
  ]);
}

/** Counters and no evidence: the audit events of the uses are that. */
async function uses(knex: Knex, { text, integer, strict }: SchemaWords): Promise<void> {
  await runAll(knex, [
    `create table key_use_totals (
       version_id ${text} not null primary key references managed_key_versions (id),
       reserved ${integer} not null check (reserved >= 0)
     )${strict}`,
    `create table key_use_blocks (
       id ${text} not null primary key,
       version_id ${text} not null references managed_key_versions (id),
       size ${integer} not null check (size > 0),
       limited ${integer} not null check (limited in (0, 1)),
       reserved_at ${text} not null
     )${strict}`,
    'create index key_use_blocks_by_time on key_use_blocks (reserved_at)',
  ]);
}
