/** Sealed accounts, break-glass sessions with their reviews, and the pause of issuance (enrolment-and-root-upgrade D.5). */
import type { Knex } from 'knex';
import {
  lastAuditEvent,
  oneOf,
  refuse,
  refuseDeletion,
  refuseSilentChange,
  runAll,
  schemaWords,
} from './schema-words.ts';

export async function up(knex: Knex): Promise<void> {
  const words = schemaWords(knex);
  const { text, integer, blob, strict } = words;
  await runAll(knex, [
    `create table sealed_accounts (
       id ${text} not null primary key ${oneOf('id', ['sealed-1', 'sealed-2', 'sealed-3'])},
       bag ${text} not null unique,
       certificate_sm3 ${text} not null unique,
       kid ${text} not null unique,
       certificate ${blob} not null,
       state ${text} not null ${oneOf('state', ['sealed', 'used'])},
       version ${integer} not null,
       sealed_at ${text} not null,
       ${lastAuditEvent(words)}
     )${strict}`,
    `create table break_glass (
       id ${text} not null primary key,
       reason ${text} not null,
       statements ${text} not null,
       opened_at ${text} not null,
       expires_at ${text} not null,
       ended_at ${text},
       ${lastAuditEvent(words)},
       check (expires_at > opened_at)
     )${strict}`,
    'create unique index break_glass_one_at_a_time on break_glass ((ended_at is null)) where ended_at is null',
    `create table break_glass_reviews (
       session ${text} not null references break_glass (id),
       person ${text} not null references people (id),
       report ${text} not null,
       findings ${text} not null,
       at ${text} not null,
       primary key (session, person)
     )${strict}`,
    `create table issuance_pause (
       only_row ${text} not null default 'only' primary key check (only_row = 'only'),
       paused_at ${text} not null,
       reason ${text} not null,
       session ${text} not null references break_glass (id),
       ${lastAuditEvent(words)}
     )${strict}`,
  ]);
  for (const table of ['sealed_accounts', 'break_glass']) await refuseSilentChange(knex, table);
  for (const table of ['sealed_accounts', 'break_glass', 'break_glass_reviews']) await refuseDeletion(knex, table);
  await guards(knex);
}

async function guards(knex: Knex): Promise<void> {
  await refuse(knex, {
    table: 'break_glass',
    name: 'fixed',
    on: 'update',
    when: `new.id <> old.id or new.statements <> old.statements or new.reason <> old.reason
           or new.opened_at <> old.opened_at or new.expires_at <> old.expires_at or old.ended_at is not null`,
    message: 'KMC E_FORBIDDEN A break-glass session is opened once, ends once, and is never made longer.',
  });
  await refuse(knex, {
    table: 'break_glass_reviews',
    name: 'fixed',
    on: 'update',
    when: 'true',
    message: 'KMC E_FORBIDDEN A review stays as it was made.',
  });
  // People and the service itself go on: otherwise nobody could end the emergency.
  await refuse(knex, {
    table: 'certificates',
    name: 'paused',
    on: 'insert',
    when: `new.source = 'issued' and new.profile not in ('administrator', 'audit-log', 'transport')
           and exists (select 1 from issuance_pause)`,
    message: 'KMC E_STATE Issuance is paused. It goes on once the act issuance.resume is approved and done.',
  });
}
