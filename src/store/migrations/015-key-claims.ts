/** Public keys that were certified here, each with the one holder that certificates over it may name. */
import type { Knex } from 'knex';
import { refuseDeletion, runAll, schemaWords } from './schema-words.ts';

export async function up(knex: Knex): Promise<void> {
  const { text, strict } = schemaWords(knex);
  await runAll(knex, [
    `create table key_claims (
       spki_sm3 ${text} not null primary key,
       holder ${text} not null
     )${strict}`,
    `insert into key_claims (spki_sm3, holder)
     select spki_sm3, min(coalesce('device/' || device_id, 'certificate/' || id)) from certificates
     where source = 'issued' group by spki_sm3`,
  ]);
  await refuseDeletion(knex, 'key_claims');
}
