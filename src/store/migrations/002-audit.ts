/** The audit log: events and their chains, the queue of the sequencer, the tree, checkpoints (audit-log 3.4). */
import type { Knex } from 'knex';
import { isSqlite, oneOf, refuse, runAll, schemaWords } from './schema-words.ts';

/** What stands in these tables is evidence from the moment it is committed. */
const EVIDENCE = [
  'audit_event',
  'audit_event_subject',
  'audit_leaf',
  'audit_tile',
  'audit_checkpoint',
  'audit_quarantine',
];

export async function up(knex: Knex): Promise<void> {
  await events(knex);
  await tree(knex);
  await consequences(knex);
  for (const table of EVIDENCE) await refuseChanges(knex, table);
}

async function events(knex: Knex): Promise<void> {
  const { text, integer, blob, strict } = schemaWords(knex);
  const identity = isSqlite(knex) ? 'integer not null' : 'bigint not null generated always as identity';
  await runAll(knex, [
    // Numbers are given at the insert and not at the commit: nothing may remember the highest it has seen.
    `create table audit_event (
       ord ${identity} primary key,
       id ${text} not null unique,
       ts ${text} not null,
       cls ${text} not null,
       act ${text} not null,
       ph ${text} not null ${oneOf('ph', ['single', 'intent', 'result'])},
       ref ${text},
       outcome ${text} not null ${oneOf('outcome', ['success', 'failure', 'denied', 'unknown'])},
       canon ${blob} not null,
       leaf ${blob} not null check (length(leaf) = 32),
       mac ${blob} check (length(mac) = 32),
       mac_version ${integer},
       check ((mac is null) = (mac_version is null))
     )${strict}`,
    "create index audit_event_results on audit_event (ref) where ph = 'result'",
    // The key keeps two writers from both being number n of a subject.
    `create table audit_event_subject (
       type ${text} not null,
       tag ${text} not null,
       n ${integer} not null check (n >= 0),
       event_id ${text} not null references audit_event (id),
       primary key (type, tag, n)
     )${strict}`,
    `create table audit_subject_head (
       type ${text} not null,
       tag ${text} not null,
       next_n ${integer} not null check (next_n >= 0),
       last_leaf ${blob},
       primary key (type, tag)
     )${strict}`,
    `create table audit_pending (
       ord ${integer} not null primary key,
       event_id ${text} not null unique references audit_event (id)
     )${strict}`,
    `create table audit_quarantine (
       event_id ${text} not null primary key references audit_event (id),
       reason ${text} not null,
       at ${text} not null
     )${strict}`,
    // Personal data behind the commitments of the log: erasable by law, so without a trigger.
    `create table audit_opening (
       event_id ${text} not null references audit_event (id),
       field ${text} not null,
       salt ${blob} not null,
       value ${text} not null,
       primary key (event_id, field)
     )${strict}`,
  ]);
}

async function tree(knex: Knex): Promise<void> {
  const { text, integer, blob, strict } = schemaWords(knex);
  await runAll(knex, [
    `create table audit_leaf (
       idx ${integer} not null primary key check (idx >= 0),
       event_id ${text} not null unique references audit_event (id),
       leaf ${blob} not null check (length(leaf) = 32)
     )${strict}`,
    // Full tiles only: a partial one is the last leaves, or the roots of the last tiles below it.
    `create table audit_tile (
       level ${integer} not null check (level >= 0),
       idx ${integer} not null check (idx >= 0),
       hashes ${blob} not null check (length(hashes) = 8192),
       root ${blob} not null check (length(root) = 32),
       primary key (level, idx)
     )${strict}`,
    `create table audit_checkpoint (
       time ${integer} not null primary key,
       size ${integer} not null check (size > 0),
       note ${text} not null
     )${strict}`,
  ]);
}

/**
 * What follows from an event, in the same statement: it waits for its place in the tree, and the chains of its subjects
 * move on. So no event can be outside of the queue, and the append has two round trips.
 */
async function consequences(knex: Knex): Promise<void> {
  await after(knex, 'audit_event', 'waits', 'insert into audit_pending (ord, event_id) values (new.ord, new.id);');
  await after(
    knex,
    'audit_event_subject',
    'moves',
    `insert into audit_subject_head (type, tag, next_n, last_leaf)
     values (new.type, new.tag, new.n + 1, (select leaf from audit_event where id = new.event_id))
     on conflict (type, tag) do update set next_n = excluded.next_n, last_leaf = excluded.last_leaf;`,
  );
}

async function after(knex: Knex, table: string, name: string, statement: string): Promise<void> {
  const trigger = `${table}_${name}`;
  if (isSqlite(knex)) {
    await knex.raw(`create trigger ${trigger} after insert on ${table} begin ${statement} end`);
    return;
  }
  await runAll(knex, [
    `create function ${trigger}() returns trigger language plpgsql as $$ begin ${statement} return null; end $$`,
    `create trigger ${trigger} after insert on ${table} for each row execute function ${trigger}()`,
  ]);
}

/** A belt against accidents and against the service itself; who may drop triggers is stopped by the tree. */
async function refuseChanges(knex: Knex, table: string): Promise<void> {
  const message = 'KMC E_AUDIT The audit log only grows: nothing in it is changed or deleted.';
  await refuse(knex, { table, name: 'unchanged', on: 'update', when: 'true', message });
  await refuse(knex, { table, name: 'kept', on: 'delete', when: 'true', message });
  if (isSqlite(knex)) return;
  await runAll(knex, [
    `create function ${table}_whole() returns trigger language plpgsql as $$ begin raise exception '${message}'; end $$`,
    `create trigger ${table}_whole before truncate on ${table} for each statement execute function ${table}_whole()`,
  ]);
}
