/** Registration authorities in service, certification authorities of others under supervision, and alarms. */
import type { Knex } from 'knex';
import { lastAuditEvent, oneOf, refuseDeletion, refuseSilentChange, runAll, schemaWords } from './schema-words.ts';

const AUTHORITY_STATES = [
  'applied',
  'documents-attested',
  'premises-attested',
  'operators-appointed',
  'in-service',
  'suspended',
  'closed',
];

export async function up(knex: Knex): Promise<void> {
  await registrationAuthorities(knex);
  await supervisedAuthorities(knex);
  await supervisedObjects(knex);
  await alarms(knex);
}

async function registrationAuthorities(knex: Knex): Promise<void> {
  const words = schemaWords(knex);
  const { text, integer, strict } = words;
  await runAll(knex, [
    `create table registration_authorities (
       id ${text} not null primary key,
       region ${text} not null,
       name_en ${text} not null,
       name_zh ${text} not null,
       profiles ${text} not null,
       devices ${integer} not null check (devices > 0),
       devices_per_day ${integer} not null check (devices_per_day > 0),
       state ${text} not null ${oneOf('state', AUTHORITY_STATES)},
       version ${integer} not null,
       applied_at ${text} not null,
       changed_at ${text} not null,
       ${lastAuditEvent(words)}
     )${strict}`,
    "create unique index registration_authorities_of_region on registration_authorities (region) where state <> 'closed'",
    'create index registration_authorities_by_event on registration_authorities (last_audit_event)',
    'create index devices_by_registration_authority on devices (registration_authority, registered_at, status)',
  ]);
  await refuseSilentChange(knex, 'registration_authorities');
  await refuseDeletion(knex, 'registration_authorities');
}

async function supervisedAuthorities(knex: Knex): Promise<void> {
  const words = schemaWords(knex);
  const { text, integer, blob, strict } = words;
  await runAll(knex, [
    `create table supervised_authorities (
       id ${text} not null primary key,
       region ${text} not null,
       name ${text} not null,
       subject ${blob} not null,
       spki_sm3 ${text} not null,
       certificate ${blob} not null,
       crl_url ${text} not null,
       certificates_url ${text},
       state ${text} not null ${oneOf('state', ['active', 'ended'])},
       version ${integer} not null,
       registered_at ${text} not null,
       changed_at ${text} not null,
       ${lastAuditEvent(words)}
     )${strict}`,
    "create unique index supervised_authorities_by_key on supervised_authorities (spki_sm3) where state = 'active'",
    'create index supervised_authorities_by_event on supervised_authorities (last_audit_event)',
    `create table supervised_fetches (
       authority_id ${text} not null primary key references supervised_authorities (id),
       tried_at ${text} not null,
       succeeded_at ${text},
       failures ${integer} not null,
       failure ${text}
     )${strict}`,
  ]);
  await refuseSilentChange(knex, 'supervised_authorities');
  await refuseDeletion(knex, 'supervised_authorities');
}

async function supervisedObjects(knex: Knex): Promise<void> {
  const words = schemaWords(knex);
  const { text, integer, blob, strict } = words;
  await runAll(knex, [
    `create table supervised_certificates (
       id ${text} not null primary key,
       authority_id ${text} not null references supervised_authorities (id),
       serial_number ${text} not null,
       certificate_sm3 ${text} not null unique,
       certificate ${blob} not null,
       subject ${blob} not null,
       algorithm ${text} not null,
       signature_algorithm ${text} not null,
       not_before ${text} not null,
       not_after ${text} not null,
       status ${text} not null ${oneOf('status', ['good', 'on-hold', 'revoked'])},
       revoked_at ${text},
       weaknesses ${text} not null,
       findings ${text} not null,
       imported_at ${text} not null,
       ${lastAuditEvent(words)},
       unique (authority_id, serial_number),
       check ((status = 'good') = (revoked_at is null))
     )${strict}`,
    'create index supervised_certificates_by_event on supervised_certificates (last_audit_event)',
    'create index supervised_certificates_by_status on supervised_certificates (authority_id, status, not_after)',
    'create index supervised_certificates_by_authority on supervised_certificates (authority_id, id)',
    `create table supervised_crls (
       id ${text} not null primary key,
       authority_id ${text} not null references supervised_authorities (id),
       number ${text} not null,
       this_update ${text} not null,
       next_update ${text} not null,
       crl_sm3 ${text} not null,
       crl ${blob} not null,
       entries ${integer} not null,
       imported_at ${text} not null,
       ${lastAuditEvent(words)},
       unique (authority_id, number)
     )${strict}`,
    'create index supervised_crls_newest on supervised_crls (authority_id, this_update)',
    'create index supervised_crls_by_event on supervised_crls (last_audit_event)',
  ]);
  await refuseSilentChange(knex, 'supervised_certificates');
  await refuseSilentChange(knex, 'supervised_crls');
  for (const table of ['supervised_certificates', 'supervised_crls']) await refuseDeletion(knex, table);
}

async function alarms(knex: Knex): Promise<void> {
  const words = schemaWords(knex);
  const { text, strict } = words;
  await runAll(knex, [
    `create table alarms (
       id ${text} not null primary key,
       kind ${text} not null,
       subject ${text} not null,
       region ${text},
       says ${text} not null,
       raised_at ${text} not null,
       cleared_at ${text},
       ${lastAuditEvent(words)}
     )${strict}`,
    'create unique index alarms_open on alarms (kind, subject) where cleared_at is null',
    'create index alarms_by_event on alarms (last_audit_event)',
  ]);
  await refuseSilentChange(knex, 'alarms');
  await refuseDeletion(knex, 'alarms');
}
