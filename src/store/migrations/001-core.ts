/** Instance, people, sealed keys of the service keystore, nonces and stored answers. */
import type { Knex } from 'knex';
import { oneOf, refuse, runAll, schemaWords } from './schema-words.ts';

export async function up(knex: Knex): Promise<void> {
  await instance(knex);
  await people(knex);
  await keystore(knex);
  await replay(knex);
}

async function instance(knex: Knex): Promise<void> {
  const { text, integer, strict } = schemaWords(knex);
  await runAll(knex, [
    `create table instance_entries (
       entry ${text} not null primary key ${oneOf('entry', ['instance-id', 'environment', 'policy-digest'])},
       value ${text} not null
     )${strict}`,
    `create table keystore_epoch (only_row ${integer} not null primary key check (only_row = 1), epoch ${integer} not null)${strict}`,
    'insert into keystore_epoch (only_row, epoch) values (1, 0)',
  ]);
}

async function people(knex: Knex): Promise<void> {
  const { text, integer, blob, strict } = schemaWords(knex);
  await runAll(knex, [
    `create table people (
       id ${text} not null primary key,
       name ${text} not null,
       unit ${text} not null,
       organisation ${text} not null,
       region ${text},
       identity_digest ${text} unique,
       status ${text} not null ${oneOf('status', ['active', 'disabled', 'left'])},
       version ${integer} not null,
       created_at ${text} not null
     )${strict}`,
    // Each unordered pair stands here in both directions; written from the role table at each start.
    `create table role_exclusions (held ${text} not null, refused ${text} not null, primary key (held, refused))${strict}`,
    `create table role_grants (
       person_id ${text} not null references people (id),
       role ${text} not null,
       region ${text} not null,
       granted_at ${text} not null,
       primary key (person_id, role, region)
     )${strict}`,
    'create index role_grants_by_role on role_grants (role, person_id)',
    `create table accounts (
       certificate_sm3 ${text} not null primary key,
       kid ${text} not null unique,
       person_id ${text} not null references people (id),
       certificate ${blob} not null,
       token_serial ${text},
       not_before ${text} not null,
       not_after ${text} not null,
       status ${text} not null ${oneOf('status', ['valid', 'suspended', 'revoked'])},
       created_at ${text} not null
     )${strict}`,
    'create index accounts_by_person on accounts (person_id)',
  ]);
  await refuse(knex, {
    table: 'role_grants',
    name: 'exclusion',
    on: 'insert',
    when: `exists (select 1 from role_grants held join role_exclusions pair on pair.held = held.role
                   where held.person_id = new.person_id and pair.refused = new.role)`,
    message:
      'KMC E_FORBIDDEN The person holds a role that excludes this one. Take that one away first, or grant this one to somebody else.',
    lock: 'perform 1 from people where id = new.person_id for update;',
  });
}

async function keystore(knex: Knex): Promise<void> {
  const { text, integer, blob, strict } = schemaWords(knex);
  await runAll(knex, [
    `create table sealed_kek (
       purpose ${text} not null,
       version ${integer} not null check (version > 0),
       state ${text} not null ${oneOf('state', ['current', 'previous', 'destroyed'])},
       blob ${blob},
       key_check_value ${blob} not null,
       object_version ${integer} not null,
       created_at ${text} not null,
       primary key (purpose, version),
       check ((state = 'destroyed') = (blob is null))
     )${strict}`,
    "create unique index sealed_kek_current on sealed_kek (purpose) where state = 'current'",
    `create table sealed_ca_key (
       key_id ${text} not null,
       version ${integer} not null check (version > 0),
       algorithm ${text} not null,
       spki ${blob} not null,
       spki_sm3 ${text} not null unique,
       usage ${text} not null,
       state ${text} not null ${oneOf('state', ['active', 'crl-only', 'retired', 'destroyed'])},
       blob ${blob},
       kek_version ${integer} not null,
       object_version ${integer} not null,
       created_at ${text} not null,
       primary key (key_id, version),
       check ((state = 'destroyed') = (blob is null))
     )${strict}`,
  ]);
}

async function replay(knex: Knex): Promise<void> {
  const { text, integer, blob, strict } = schemaWords(knex);
  await runAll(knex, [
    `create table nonces (
       key_id ${text} not null,
       nonce ${text} not null,
       expires_at ${text} not null,
       primary key (key_id, nonce)
     )${strict}`,
    'create index nonces_by_expiry on nonces (expires_at)',
    `create table idempotency (
       caller ${text} not null,
       key ${text} not null,
       body_digest ${text} not null,
       status ${integer},
       body ${blob},
       created_at ${text} not null,
       expires_at ${text} not null,
       primary key (caller, key),
       check ((status is null) = (body is null))
     )${strict}`,
    'create index idempotency_by_expiry on idempotency (expires_at)',
  ]);
}
