/** Authorities, the certificate inventory, CRLs, and keys that are never certified again. */
import type { Knex } from 'knex';
import {
  lastAuditEvent,
  oneOf,
  refuseDeletion,
  refuseSilentChange,
  runAll,
  schemaWords,
  type SchemaWords,
} from './schema-words.ts';

const KINDS = ['root', 'issuing', 'transport', 'administrator', 'external'];
const AUTHORITY_STATES = ['staged', 'active', 'restricted', 'crl-only', 'retired', 'revoked'];
const STATUSES = ['reserved', 'aborted', 'good', 'on-hold', 'revoked'];
const REASONS = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  'privilegeWithdrawn',
  'aACompromise',
];

export async function up(knex: Knex): Promise<void> {
  const words = schemaWords(knex);
  await authorities(knex, words);
  await certificates(knex, words);
  await lists(knex, words);
  await refuseSilentChange(knex, 'certificates');
  for (const table of ['authorities', 'certificates', 'crls', 'blocked_keys']) await refuseDeletion(knex, table);
}

async function authorities(knex: Knex, { text, integer, blob, strict }: SchemaWords): Promise<void> {
  await runAll(knex, [
    // crl_number is decimal text: RFC 5280 5.2.3 allows 20 octets, and an imported authority may have used them.
    `create table authorities (
       id ${text} not null primary key,
       kind ${text} not null ${oneOf('kind', KINDS)},
       generation ${text},
       subject ${blob} not null,
       algorithm ${text} not null,
       spki_sm3 ${text} not null,
       certificate ${blob} not null,
       key_id ${text},
       issuer_id ${text} references authorities (id),
       state ${text} not null ${oneOf('state', AUTHORITY_STATES)},
       inventory ${text} not null ${oneOf('inventory', ['none', 'awaited', 'complete'])},
       crl_number ${text} not null,
       not_before ${text} not null,
       not_after ${text} not null,
       version ${integer} not null,
       created_at ${text} not null,
       unique (subject, spki_sm3)
     )${strict}`,
    'create index authorities_by_key on authorities (spki_sm3)',
  ]);
}

async function certificates(knex: Knex, words: SchemaWords): Promise<void> {
  const { text, blob, strict } = words;
  await runAll(knex, [
    `create table certificates (
       id ${text} not null primary key,
       authority_id ${text} not null references authorities (id),
       serial_number ${text} not null,
       status ${text} not null ${oneOf('status', STATUSES)},
       subject ${blob} not null,
       spki_sm3 ${text} not null,
       profile ${text} not null,
       not_before ${text} not null,
       not_after ${text} not null,
       certificate ${blob},
       certificate_sm3 ${text} unique,
       certificate_sha256 ${text} unique,
       source ${text} not null ${oneOf('source', ['issued', 'imported'])},
       pair_id ${text},
       device_id ${text} references devices (id),
       shard ${text},
       revoked_at ${text},
       reason ${text} ${oneOf('reason', REASONS)},
       invalidity_date ${text},
       created_at ${text} not null,
       ${lastAuditEvent(words)},
       unique (authority_id, serial_number),
       check ((status in ('revoked', 'on-hold')) = (revoked_at is not null)),
       check ((revoked_at is null) = (reason is null)),
       check (status not in ('reserved', 'aborted') or (certificate is null and source = 'issued')),
       check (status in ('reserved', 'aborted') or certificate is not null or source = 'imported'),
       check ((certificate is null) = (certificate_sm3 is null) and (certificate is null) = (certificate_sha256 is null))
     )${strict}`,
    'create index certificates_by_key on certificates (spki_sm3)',
    'create index certificates_by_device on certificates (device_id, id) where device_id is not null',
    'create index certificates_by_pair on certificates (pair_id) where pair_id is not null',
    "create index certificates_revoked on certificates (authority_id, serial_number) where status in ('revoked', 'on-hold')",
    "create index certificates_reserved on certificates (created_at) where status = 'reserved'",
  ]);
}

async function lists(knex: Knex, { text, integer, blob, strict }: SchemaWords): Promise<void> {
  await runAll(knex, [
    `create table crls (
       authority_id ${text} not null references authorities (id),
       scope ${text} not null,
       number ${text} not null,
       crl ${blob} not null,
       crl_sm3 ${text} not null,
       entries ${integer} not null,
       this_update ${text} not null,
       next_update ${text} not null,
       source ${text} not null ${oneOf('source', ['issued', 'imported'])},
       primary key (authority_id, scope, number)
     )${strict}`,
    `create table blocked_keys (
       spki_sm3 ${text} not null primary key,
       reason ${text} not null,
       blocked_at ${text} not null,
       audit_event ${text} not null references audit_event (id) deferrable initially deferred
     )${strict}`,
  ]);
}
