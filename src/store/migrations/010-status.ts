/** Certificate status: revoked certificates in the order of a CRL, the newest CRL of each scope, OCSP answers, challenges, reminders. */
import type { Knex } from 'knex';
import { runAll, schemaWords } from './schema-words.ts';

const REVOKED = "status in ('revoked', 'on-hold')";

export async function up(knex: Knex): Promise<void> {
  const { text, blob, strict } = schemaWords(knex);
  await runAll(knex, [
    'drop index certificates_revoked',
    `create index certificates_revoked on certificates (authority_id, length(serial_number), serial_number)
       where ${REVOKED}`,
    `create index certificates_revoked_by_shard on certificates (authority_id, shard, length(serial_number), serial_number)
       where ${REVOKED} and shard is not null`,
    `create index certificates_revoked_by_time on certificates (authority_id, revoked_at) where ${REVOKED}`,
    'create index crls_by_number on crls (authority_id, scope, length(number), number)',
    `create table ocsp_answers (
       cert_id_sm3 ${text} not null primary key,
       certificate_id ${text} not null references certificates (id),
       status_event ${text} not null,
       response ${blob} not null,
       this_update ${text} not null,
       next_update ${text} not null
     )${strict}`,
    "create index certificates_by_end on certificates (not_after) where status = 'good'",
    `create index certificates_of_service on certificates (authority_id, profile, not_after)
       where device_id is null and source = 'issued'`,
    `create table reminders (
       kind ${text} not null,
       id ${text} not null,
       name ${text} not null,
       ends_at ${text} not null,
       reminded_at ${text} not null,
       primary key (kind, id, name, ends_at)
     )${strict}`,
    // Two gateways that authenticate each other (enrolment-and-root-upgrade C.5).
    `create table peer_challenges (
       nonce ${text} not null primary key,
       challenger_sm3 ${text} not null,
       peer_sm3 ${text} not null,
       expires_at ${text} not null
     )${strict}`,
    'create index peer_challenges_by_end on peer_challenges (expires_at)',
    'create index ocsp_answers_by_certificate on ocsp_answers (certificate_id)',
    'create index ocsp_answers_by_end on ocsp_answers (next_update)',
  ]);
}
