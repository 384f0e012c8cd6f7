/** Backups with the key-encryption keys that they hold, and the restores that a database went through. */
import type { Knex } from 'knex';
import { lastAuditEvent, oneOf, refuseDeletion, refuseSilentChange, runAll, schemaWords } from './schema-words.ts';

export async function up(knex: Knex): Promise<void> {
  const words = schemaWords(knex);
  const { text, integer, strict } = words;
  await runAll(knex, [
    `create table backups (
       id ${text} not null primary key,
       request_id ${text} not null references requests (id),
       state ${text} not null ${oneOf('state', ['made', 'verified'])},
       taken_at ${text} not null,
       expires_at ${text} not null,
       size ${integer} not null check (size > 0),
       content_sm3 ${text} not null,
       keystore_epoch ${integer} not null,
       set_id ${text} not null,
       node ${text} not null,
       verified_at ${text},
       ${lastAuditEvent(words)},
       check ((state = 'verified') = (verified_at is not null))
     )${strict}`,
    'create index backups_by_time on backups (taken_at, id)',
    'create index backups_by_event on backups (last_audit_event)',
    `create table backup_keks (
       backup_id ${text} not null references backups (id),
       kek ${text} not null,
       primary key (kek, backup_id)
     )${strict}`,
    `create table restorations (
       id ${text} not null primary key,
       backup_id ${text} not null,
       taken_at ${text} not null,
       origin ${text} not null unique,
       previous_origin ${text} not null,
       begun_at ${text} not null,
       finished_at ${text}
     )${strict}`,
  ]);
  await refuseSilentChange(knex, 'backups');
  for (const table of ['backups', 'backup_keks', 'restorations']) await refuseDeletion(knex, table);
}
