/** Totals of supervision with the place in the log up to which they go, reports of months, and sessions of the console. */
import type { Knex } from 'knex';
import { oneOf, refuse, refuseDeletion, runAll, schemaWords } from './schema-words.ts';

export async function up(knex: Knex): Promise<void> {
  const { text, integer, blob, strict } = schemaWords(knex);
  await runAll(knex, [
    `create table supervision_totals (
       key ${text} not null primary key,
       measure ${text} not null,
       day ${text} not null,
       region ${text} not null,
       registrar ${text} not null,
       profile ${text} not null,
       algorithm ${text} not null,
       label ${text} not null,
       value ${integer} not null
     )${strict}`,
    'create index supervision_totals_by_day on supervision_totals (measure, day)',
    `create table supervision_position (
       id ${integer} not null primary key check (id = 1),
       position ${integer} not null check (position > 0)
     )${strict}`,
    `create table supervision_reports (
       month ${text} not null primary key,
       events ${integer} not null check (events > 0),
       body ${blob} not null,
       created_at ${text} not null
     )${strict}`,
    `create table console_sessions (
       id ${text} not null primary key,
       challenge ${text} not null unique,
       state ${text} not null ${oneOf('state', ['pending', 'approved', 'open', 'ended'])},
       person_id ${text},
       certificate_sm3 ${text},
       code_sm3 ${text},
       tries ${integer} not null,
       created_at ${text} not null,
       expires_at ${text} not null,
       check (state = 'pending' or (person_id is not null and certificate_sm3 is not null and code_sm3 is not null))
     )${strict}`,
    'create index console_sessions_by_end on console_sessions (expires_at)',
    'create index audit_checkpoint_by_size on audit_checkpoint (size, time)',
  ]);
  const message = 'KMC E_FORBIDDEN The report of a month is made once and never changed.';
  await refuse(knex, { table: 'supervision_reports', name: 'unchanged', on: 'update', when: 'true', message });
  await refuseDeletion(knex, 'supervision_reports');
}
