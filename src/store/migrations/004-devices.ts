/** Devices, their one-time tokens and their enrolments (enrolment-and-root-upgrade B.4, B.5). */
import type { Knex } from 'knex';
import { oneOf, refuseDeletion, runAll, schemaWords } from './schema-words.ts';

const DEVICE_STATUSES = ['registered', 'in-service', 'suspended', 'quarantined', 'decommissioned'];
const ENROLMENT_STATES = ['RECEIVED', 'PENDING', 'APPROVED', 'ISSUED', 'DELIVERED', 'REJECTED', 'EXPIRED'];

export async function up(knex: Knex): Promise<void> {
  await devices(knex);
  await tokens(knex);
  await enrolments(knex);
  await refuseDeletion(knex, 'devices');
}

async function devices(knex: Knex): Promise<void> {
  const { text, integer, blob, strict } = schemaWords(knex);
  await runAll(knex, [
    `create table devices (
       id ${text} not null primary key,
       kind ${text} not null ${oneOf('kind', ['gateway', 'terminal'])},
       vendor ${text} not null,
       model ${text} not null,
       serial ${text} not null,
       firmware ${text},
       region ${text} not null,
       registration_authority ${text} not null,
       unit ${text} not null,
       tier ${text} not null ${oneOf('tier', ['hub', 'standard'])},
       profile ${text} not null,
       subject ${blob} not null,
       alternative_names ${text} not null,
       status ${text} not null ${oneOf('status', DEVICE_STATUSES)},
       version ${integer} not null,
       spki_sm3 ${text} unique,
       registered_by ${text} not null,
       registered_at ${text} not null,
       changed_at ${text} not null,
       unique (vendor, serial)
     )${strict}`,
    'create index devices_by_region on devices (region, id)',
  ]);
}

async function tokens(knex: Knex): Promise<void> {
  const { text, integer, blob, strict } = schemaWords(knex);
  await runAll(knex, [
    `create table enrolment_tokens (
       id ${text} not null primary key,
       device_id ${text} not null references devices (id),
       label ${text} not null,
       state ${text} not null ${oneOf('state', ['issued', 'used', 'revoked', 'expired'])},
       token_sm3 ${text} unique,
       sealed_token ${blob},
       kek_version ${integer} not null,
       bound_spki_sm3 ${text},
       issued_by ${text} not null,
       issued_at ${text} not null,
       expires_at ${text} not null,
       tries ${integer} not null,
       locked_until ${text},
       used_at ${text},
       used_spki_sm3 ${text},
       enrolment_id ${text},
       erase_at ${text} not null,
       check ((token_sm3 is null) = (sealed_token is null)),
       check ((state = 'used') = (used_at is not null and used_spki_sm3 is not null and enrolment_id is not null))
     )${strict}`,
    'create index enrolment_tokens_by_device on enrolment_tokens (device_id)',
    'create index enrolment_tokens_to_erase on enrolment_tokens (erase_at) where sealed_token is not null',
  ]);
}

async function enrolments(knex: Knex): Promise<void> {
  const { text, integer, blob, strict } = schemaWords(knex);
  await runAll(knex, [
    `create table enrolments (
       id ${text} not null primary key,
       device_id ${text} not null references devices (id),
       label ${text} not null,
       operation ${text} not null,
       spki_sm3 ${text} not null,
       state ${text} not null ${oneOf('state', ENROLMENT_STATES)},
       version ${integer} not null,
       csr ${blob} not null,
       token_id ${text} references enrolment_tokens (id),
       request_id ${text} references requests (id),
       authority_id ${text},
       sign_serial ${text},
       enc_serial ${text},
       enveloped_key ${blob},
       answer_until ${text},
       reason ${text},
       created_at ${text} not null,
       changed_at ${text} not null,
       expires_at ${text} not null,
       closed ${integer} not null check (closed in (0, 1))
     )${strict}`,
    'create unique index enrolments_open on enrolments (device_id, label, operation, spki_sm3) where closed = 0',
    'create index enrolments_by_device on enrolments (device_id, id)',
    'create index enrolments_by_state on enrolments (state, expires_at) where closed = 0',
    'create index enrolments_to_erase on enrolments (answer_until) where closed = 0',
  ]);
}
