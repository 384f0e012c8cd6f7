/** How devices come in: found by the serial number that EST gives as user name, signed with a nonce of the service. */
import type { Knex } from 'knex';
import { runAll, schemaWords } from './schema-words.ts';

export async function up(knex: Knex): Promise<void> {
  const { text, strict } = schemaWords(knex);
  await runAll(knex, [
    'create index devices_by_serial on devices (serial, id)',
    `create table offered_nonces (
       nonce ${text} not null primary key,
       key_id ${text} not null,
       offered_at ${text} not null,
       expires_at ${text} not null
     )${strict}`,
    'create index offered_nonces_by_key on offered_nonces (key_id, offered_at)',
    'create index offered_nonces_by_expiry on offered_nonces (expires_at)',
  ]);
}
