/** Certificate status: revoked certificates in the order of a CRL, the newest CRL of each scope. */
import type { Knex } from 'knex';
import { runAll } from './schema-words.ts';

const REVOKED = "status in ('revoked', 'on-hold')";

export async function up(knex: Knex): Promise<void> {
  await runAll(knex, [
    'drop index certificates_revoked',
    `create index certificates_revoked on certificates (authority_id, length(serial_number), serial_number)
       where ${REVOKED}`,
    `create index certificates_revoked_by_shard on certificates (authority_id, shard, length(serial_number), serial_number)
       where ${REVOKED} and shard is not null`,
    `create index certificates_revoked_by_time on certificates (authority_id, revoked_at) where ${REVOKED}`,
    'create index crls_by_number on crls (authority_id, scope, length(number), number)',
  ]);
}
