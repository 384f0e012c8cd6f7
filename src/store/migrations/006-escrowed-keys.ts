/** Escrowed encryption keys and their pool (security-and-faults 3.1). */
import type { Knex } from 'knex';
import { lastAuditEvent, oneOf, refuseDeletion, refuseSilentChange, runAll, schemaWords } from './schema-words.ts';

/** The store follows from the state, and the row says both. */
const STORES: readonly (readonly [store: string, states: readonly string[]])[] = [
  ['standby', ['generated', 'spare']],
  ['in-use', ['active', 'suspended']],
  ['history', ['deactivated', 'compromised', 'destroy-pending']],
  ['tombstone', ['destroyed', 'destroyed-compromised']],
];

export const KEY_STATE_WORDS = STORES.flatMap(([, inStore]) => inStore);
/** The condition that a row's store is that of its state. */
export const STORE_OF_STATE = STORES.map(
  ([store, inStore]) => `(store = '${store}' and state in (${inStore.map((state) => `'${state}'`).join(', ')}))`,
).join(' or ');

export async function up(knex: Knex): Promise<void> {
  const words = schemaWords(knex);
  const { text, integer, blob, strict } = words;
  await runAll(knex, [
    `create table escrowed_keys (
       id ${text} not null primary key,
       usage ${text} not null default 'encryption' check (usage = 'encryption'),
       algorithm ${text} not null,
       state ${text} not null ${oneOf('state', KEY_STATE_WORDS)},
       store ${text} not null check (${STORE_OF_STATE}),
       version ${integer} not null,
       spki ${blob} not null,
       spki_sm3 ${text} not null unique,
       sealed_key ${blob},
       kek_version ${integer} not null,
       object_version ${integer} not null,
       batch_id ${text} not null,
       authority_id ${text} references authorities (id),
       certificate_serial ${text},
       subject ${blob},
       recipient_spki_sm3 ${text},
       device_id ${text} references devices (id),
       created_at ${text} not null,
       activated_at ${text},
       changed_at ${text} not null,
       destroy_after ${text},
       ${lastAuditEvent(words)},
       unique (authority_id, certificate_serial),
       check ((store = 'tombstone') = (sealed_key is null)),
       check (state not in ('active', 'suspended') or authority_id is not null),
       check ((authority_id is null) = (certificate_serial is null)
          and (authority_id is null) = (subject is null)
          and (authority_id is null) = (recipient_spki_sm3 is null)),
       check (state <> 'destroy-pending' or destroy_after is not null)
     )${strict}`,
    'create index escrowed_keys_by_state on escrowed_keys (state, algorithm, id)',
    'create index escrowed_keys_by_kek on escrowed_keys (kek_version, id) where sealed_key is not null',
    'create index escrowed_keys_by_device on escrowed_keys (device_id, id) where device_id is not null',
  ]);
  await refuseSilentChange(knex, 'escrowed_keys');
  await refuseDeletion(knex, 'escrowed_keys');
}
