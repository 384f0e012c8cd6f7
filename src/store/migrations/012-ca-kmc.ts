/** What the CA-KMC protocol (GM/T 0014) needs: the communication certificates of CAs, and what they were answered. */
import type { Knex } from 'knex';
import { lastAuditEvent, oneOf, refuseDeletion, refuseSilentChange, runAll, schemaWords } from './schema-words.ts';

export async function up(knex: Knex): Promise<void> {
  const words = schemaWords(knex);
  const { text, integer, blob, strict } = words;
  await runAll(knex, [
    `create table communication_certificates (
       id ${text} not null primary key,
       authority_id ${text} not null references authorities (id),
       certificate ${blob} not null,
       certificate_sm3 ${text} not null unique,
       spki_sm3 ${text} not null unique,
       not_before ${text} not null,
       not_after ${text} not null,
       state ${text} not null ${oneOf('state', ['active', 'replaced'])},
       version ${integer} not null,
       registered_at ${text} not null,
       ${lastAuditEvent(words)}
     )${strict}`,
    "create unique index communication_certificates_active on communication_certificates (authority_id) where state = 'active'",
    'create index escrowed_keys_applied on escrowed_keys (authority_id, recipient_spki_sm3) where device_id is null',
    `create table ca_kmc_exchanges (
       authority_id ${text} not null references authorities (id),
       request_sm3 ${text} not null,
       request ${blob} not null,
       response ${blob},
       answered_at ${text} not null,
       erase_at ${text} not null,
       primary key (authority_id, request_sm3)
     )${strict}`,
    'create index ca_kmc_exchanges_to_erase on ca_kmc_exchanges (erase_at) where response is not null',
  ]);
  await refuseSilentChange(knex, 'communication_certificates');
  for (const table of ['communication_certificates', 'ca_kmc_exchanges']) await refuseDeletion(knex, table);
}
