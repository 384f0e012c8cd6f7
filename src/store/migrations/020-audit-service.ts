/** Beside the audit log: the index with its epochs (audit-log 3.12), and what witnesses said of checkpoints (3.8). */
import type { Knex } from 'knex';
import { refuse, refuseDeletion, runAll, schemaWords } from './schema-words.ts';

export async function up(knex: Knex): Promise<void> {
  const { text, integer, blob, strict } = schemaWords(knex);
  await runAll(knex, [
    `create table audit_index_epochs (
       epoch ${integer} not null primary key check (epoch > 0),
       size ${integer} not null check (size > 0),
       entries ${integer} not null check (entries > 0),
       root ${blob} not null check (length(root) = 32),
       audit_event ${text} not null unique references audit_event (id) deferrable initially deferred,
       closed_at ${text} not null
     )${strict}`,
    // A function of the leaves: not evidence, and made anew from them at any time.
    `create table audit_index_keys (
       key ${text} not null primary key,
       count ${integer} not null check (count > 0),
       nodes ${blob} not null
     )${strict}`,
    `create table audit_index_places (
       key ${text} not null,
       idx ${integer} not null check (idx >= 0),
       primary key (key, idx)
     )${strict}`,
    `create table audit_cosignatures (
       checkpoint_time ${integer} not null references audit_checkpoint (time),
       name ${text} not null,
       person_id ${text} not null references people (id),
       spki_sm3 ${text} not null,
       line ${text} not null,
       received_at ${text} not null,
       audit_event ${text} not null unique references audit_event (id) deferrable initially deferred,
       primary key (checkpoint_time, name)
     )${strict}`,
    `create table audit_index_tiles (
       level ${integer} not null check (level >= 0),
       idx ${integer} not null check (idx >= 0),
       hashes ${blob} not null check (length(hashes) between 32 and 8192),
       primary key (level, idx)
     )${strict}`,
  ]);
  for (const table of ['audit_index_epochs', 'audit_cosignatures']) await refuseDeletion(knex, table);
  await refuse(knex, {
    table: 'audit_index_epochs',
    name: 'unchanged',
    on: 'update',
    when: 'true',
    message: 'KMC E_AUDIT What was said of an epoch of the audit log is not changed.',
  });
}
