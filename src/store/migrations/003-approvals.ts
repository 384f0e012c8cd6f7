/** Requests, the signed decisions on them, and what was executed (enrolment-and-root-upgrade D). */
import type { Knex } from 'knex';
import { lastAuditEvent, oneOf, refuseDeletion, refuseSilentChange, runAll, schemaWords } from './schema-words.ts';

const STATES = [
  'DRAFT',
  'OPEN',
  'QUORUM',
  'EXECUTING',
  'DONE',
  'FAILED',
  'INDETERMINATE',
  'REJECTED',
  'WITHDRAWN',
  'EXPIRED',
  'SUPERSEDED',
];

export async function up(knex: Knex): Promise<void> {
  const words = schemaWords(knex);
  const { text, integer, blob, strict } = words;
  await runAll(knex, [
    `create table requests (
       id ${text} not null primary key,
       digest ${text} not null unique,
       canonical ${blob} not null,
       op ${text} not null,
       class ${text} not null ${oneOf('class', ['L1', 'L2', 'L3', 'judicial', 'L4'])},
       state ${text} not null ${oneOf('state', STATES)},
       version ${integer} not null,
       proposer ${text} not null,
       target ${text} not null,
       pre_state ${text} not null,
       target_version ${text} not null,
       policy_digest ${text} not null,
       created_at ${text} not null,
       expires_at ${text} not null,
       quorum_at ${text},
       changed_at ${text} not null,
       ${lastAuditEvent(words)}
     )${strict}`,
    'create index requests_by_state on requests (state, expires_at)',
    'create index requests_by_target on requests (target)',
    'create index requests_by_proposer on requests (proposer)',
    `create table approvals (
       request_id ${text} not null references requests (id),
       person_id ${text} not null references people (id),
       role ${text} not null,
       decision ${text} not null ${oneOf('decision', ['APPROVE', 'REJECT'])},
       body ${blob} not null,
       signature ${blob} not null,
       certificate ${blob} not null,
       decided_at ${text} not null,
       withdrawn_at ${text},
       withdrawal_body ${blob},
       withdrawal_signature ${blob},
       withdrawal_certificate ${blob},
       unique (request_id, person_id),
       check ((withdrawn_at is null) = (withdrawal_body is null)
          and (withdrawn_at is null) = (withdrawal_signature is null)
          and (withdrawn_at is null) = (withdrawal_certificate is null))
     )${strict}`,
    `create table executions (
       request_digest ${text} not null primary key references requests (digest),
       at ${text} not null,
       result ${text}
     )${strict}`,
  ]);
  await refuseSilentChange(knex, 'requests');
  for (const table of ['requests', 'approvals', 'executions']) await refuseDeletion(knex, table);
}
