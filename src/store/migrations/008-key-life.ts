/** What keys need over their life: pools with the origin of each batch, found faults, recoveries, tombstones. */
import type { Knex } from 'knex';
import {
  lastAuditEvent,
  oneOf,
  refuse,
  refuseDeletion,
  refuseSilentChange,
  runAll,
  schemaWords,
  type SchemaWords,
} from './schema-words.ts';

export async function up(knex: Knex): Promise<void> {
  const words = schemaWords(knex);
  await pools(knex, words);
  await records(knex, words);
  await refuseSilentChange(knex, 'key_batches');
  for (const table of ['key_batches', 'recoveries', 'key_tombstones']) await refuseDeletion(knex, table);
  await refuseDestroyedKek(knex, 'escrowed_keys', 'escrow-store', 'sealed_key');
  await refuseDestroyedKek(knex, 'sealed_ca_key', 'ca-keys', 'blob');
  await refuseDestroyedKek(knex, 'enrolment_tokens', 'db-field', 'sealed_token');
}

async function pools(knex: Knex, words: SchemaWords): Promise<void> {
  const { text, integer, strict } = words;
  await runAll(knex, [
    `alter table escrowed_keys add column compromised_at ${text}`,
    `alter table escrowed_keys add column state_reason ${text}`,
    "create index escrowed_keys_spare on escrowed_keys (algorithm, spki_sm3) where state = 'spare'",
    'create index escrowed_keys_by_batch on escrowed_keys (batch_id, id)',
    "create index escrowed_keys_due on escrowed_keys (destroy_after, id) where state = 'destroy-pending'",
    "create index escrowed_keys_in_use on escrowed_keys (activated_at, id) where state in ('active', 'suspended')",
    `create table key_batches (
       id ${text} not null primary key,
       pool ${text} not null,
       algorithm ${text} not null,
       generator ${text} not null,
       self_tested_at ${text} not null,
       kek_version ${integer} not null,
       count ${integer} not null check (count > 0),
       node ${text} not null,
       created_at ${text} not null,
       backup_id ${text},
       released_at ${text},
       ${lastAuditEvent(words)},
       check ((backup_id is null) = (released_at is null))
     )${strict}`,
    'create index key_batches_waiting on key_batches (pool, created_at) where backup_id is null',
  ]);
}

async function records(knex: Knex, { text, blob, strict }: SchemaWords): Promise<void> {
  const event = `audit_event ${text} not null references audit_event (id) deferrable initially deferred`;
  await runAll(knex, [
    `create table key_faults (
       key_id ${text} not null primary key references escrowed_keys (id),
       code ${text} not null,
       found_at ${text} not null,
       ${event}
     )${strict}`,
    `create table work_cursors (
       name ${text} not null primary key,
       position ${text} not null,
       changed_at ${text} not null
     )${strict}`,
    `create table recoveries (
       id ${text} not null primary key,
       kind ${text} not null ${oneOf('kind', ['user', 'judicial'])},
       key_id ${text} not null references escrowed_keys (id),
       request_id ${text} references requests (id),
       case_id ${text},
       recipient_spki_sm3 ${text} not null,
       recipient_certificate ${blob},
       enveloped_key ${blob} not null,
       key_state ${text} not null,
       recovered_at ${text} not null,
       ${event},
       check (kind = 'user' or (request_id is not null and case_id is not null and recipient_certificate is not null))
     )${strict}`,
    'create index recoveries_by_key on recoveries (key_id, id)',
    'create index recoveries_by_request on recoveries (request_id, id) where request_id is not null',
    `create table key_tombstones (
       key_id ${text} not null primary key references escrowed_keys (id),
       evidence ${text} not null,
       evidence_sm3 ${text} not null,
       destroyed_at ${text} not null,
       ${event}
     )${strict}`,
  ]);
}

/**
 * Refuses a blob under a key-encryption key that is destroyed, whatever a node with old keys tries: nobody could open it.
 * On PostgreSQL the row of the key is held, so that it cannot be destroyed at the same moment.
 */
export async function refuseDestroyedKek(knex: Knex, table: string, purpose: string, sealed: string): Promise<void> {
  const message = 'KMC E_STALE The key-encryption key was replaced and destroyed meanwhile. Do it again.';
  const row = `sealed_kek where purpose = '${purpose}' and version = new.kek_version`;
  const when = `new.${sealed} is not null and exists (select 1 from ${row} and state = 'destroyed')`;
  const hold = `perform 1 from ${row} for share;`;
  await refuse(knex, { table, name: 'kek_new', on: 'insert', when, message, lock: hold });
  await refuse(knex, {
    table,
    name: 'kek_changed',
    on: 'update',
    when: `new.kek_version <> old.kek_version and ${when}`,
    message,
    lock: `if new.kek_version <> old.kek_version then ${hold} end if;`,
  });
}
