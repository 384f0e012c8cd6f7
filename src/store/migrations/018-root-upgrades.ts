/** Root upgrades: state machine, history, attestations and staged manifests (enrolment-and-root-upgrade A.5). */
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

const STATES = [
  'DRAFT',
  'PLANNED',
  'KEYED',
  'STAGED',
  'PILOT',
  'ROLLOUT',
  'READY',
  'ACTIVE',
  'MIGRATED',
  'RETIRING',
  'REMOVED',
  'CLOSED',
  'ABORTED',
  'ROLLED_BACK',
  'SUPERSEDED',
];
const ENDED = "('CLOSED', 'ABORTED', 'SUPERSEDED')";

function upgradeTables(words: SchemaWords): string[] {
  const { text, integer, strict } = words;
  return [
    `create table root_upgrades (
       id ${text} not null primary key,
       kind ${text} not null ${oneOf('kind', ['ALG_CHANGE', 'REKEY', 'EMERGENCY'])},
       bundle ${text} not null,
       state ${text} not null ${oneOf('state', STATES)},
       suspended ${integer} not null check (suspended in (0, 1)),
       version ${integer} not null check (version >= 1),
       plan ${text} not null,
       plan_digest ${text} not null,
       waves_opened ${integer} not null check (waves_opened >= 0),
       last_wave_at ${text},
       superseded_by ${text} references root_upgrades (id),
       created_by ${text} not null,
       created_at ${text} not null,
       changed_at ${text} not null,
       ${lastAuditEvent(words)},
       check ((superseded_by is null) = (state <> 'SUPERSEDED'))
     )${strict}`,
    `create unique index root_upgrades_one_under_way on root_upgrades (bundle)
       where state not in ('DRAFT', 'REMOVED', 'CLOSED', 'ABORTED', 'SUPERSEDED')`,
    `create table root_upgrade_steps (
       upgrade ${text} not null references root_upgrades (id),
       version ${integer} not null,
       step ${text} not null,
       from_state ${text} not null ${oneOf('from_state', STATES)},
       to_state ${text} not null ${oneOf('to_state', STATES)},
       request ${text},
       actor ${text} not null,
       stated ${text} not null,
       at ${text} not null,
       ${lastAuditEvent(words)},
       primary key (upgrade, version)
     )${strict}`,
    'create unique index root_upgrade_steps_request on root_upgrade_steps (request, upgrade) where request is not null',
  ];
}

function inputTables(words: SchemaWords): string[] {
  const { text, integer, blob, strict } = words;
  return [
    `create table root_upgrade_attestations (
       id ${text} not null primary key,
       upgrade ${text} not null references root_upgrades (id),
       kind ${text} not null,
       passed ${integer} not null check (passed in (0, 1)),
       document_sm3 ${text} not null,
       document ${blob},
       body ${text} not null,
       signature ${text} not null,
       certificate ${blob} not null,
       person ${text} not null,
       attested_at ${text} not null,
       recorded_at ${text} not null,
       ${lastAuditEvent(words)},
       unique (upgrade, body)
     )${strict}`,
    `create table root_upgrade_manifests (
       upgrade ${text} not null references root_upgrades (id),
       purpose ${text} not null ${oneOf('purpose', ['stage', 'retire', 'clear', 'remove', 'emergency'])},
       digest ${text} not null,
       bundle ${text} not null,
       version ${integer} not null,
       manifest ${blob} not null,
       staged_by ${text} not null,
       staged_at ${text} not null,
       ${lastAuditEvent(words)},
       primary key (upgrade, purpose, digest)
     )${strict}`,
    ...['root_upgrades', 'root_upgrade_steps', 'root_upgrade_attestations', 'root_upgrade_manifests'].map(
      (table) => `create index ${table}_event on ${table} (last_audit_event)`,
    ),
  ];
}

export async function up(knex: Knex): Promise<void> {
  const words = schemaWords(knex);
  await runAll(knex, [...upgradeTables(words), ...inputTables(words)]);
  await refuseSilentChange(knex, 'root_upgrades');
  await refuse(knex, {
    table: 'root_upgrades',
    name: 'ended',
    on: 'update',
    when: `old.state in ${ENDED}`,
    message: 'KMC E_FORBIDDEN A root upgrade that is at its end does not move any more. Make a new plan.',
  });
  await refuse(knex, {
    table: 'root_upgrades',
    name: 'plan_frozen',
    on: 'update',
    when: `new.id <> old.id or new.bundle <> old.bundle
           or (old.state <> 'DRAFT' and (new.plan <> old.plan or new.plan_digest <> old.plan_digest or new.kind <> old.kind))`,
    message: 'KMC E_FORBIDDEN The plan of a root upgrade is frozen once it is approved. Make a new plan.',
  });
  await refuse(knex, {
    table: 'root_upgrades',
    name: 'one_step',
    on: 'update',
    when: 'new.version <> old.version + 1',
    message: 'KMC E_FORBIDDEN The version of a root upgrade rises by one with each change.',
  });
  for (const table of ['root_upgrade_steps', 'root_upgrade_attestations', 'root_upgrade_manifests']) {
    await refuse(knex, {
      table,
      name: 'unchanged',
      on: 'update',
      when: 'true',
      message: 'KMC E_FORBIDDEN The records of a root upgrade stay as they were made.',
    });
    await refuseDeletion(knex, table);
  }
  await refuseDeletion(knex, 'root_upgrades');
}
