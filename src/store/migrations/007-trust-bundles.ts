/** Published trust-bundle manifests (enrolment-and-root-upgrade A.4): versions only rise, and none is ever changed. */
import type { Knex } from 'knex';
import { lastAuditEvent, refuse, refuseDeletion, runAll, schemaWords } from './schema-words.ts';

export async function up(knex: Knex): Promise<void> {
  const words = schemaWords(knex);
  const { text, integer, blob, strict } = words;
  await runAll(knex, [
    `create table trust_bundles (
       bundle ${text} not null,
       version ${integer} not null check (version >= 1),
       digest ${text} not null unique,
       manifest ${blob} not null,
       published_by ${text} not null,
       published_at ${text} not null,
       ${lastAuditEvent(words)},
       primary key (bundle, version)
     )${strict}`,
  ]);
  await refuse(knex, {
    table: 'trust_bundles',
    name: 'unchanged',
    on: 'update',
    when: 'true',
    message: 'KMC E_FORBIDDEN A published manifest is never changed. Publish a new version.',
  });
  await refuse(knex, {
    table: 'trust_bundles',
    name: 'in_order',
    on: 'insert',
    when: `new.version <> 1 + coalesce((select max(version) from trust_bundles where bundle = new.bundle), 0)`,
    message: 'KMC E_CONFLICT Versions of a trust bundle follow one another without a gap.',
  });
  await refuseDeletion(knex, 'trust_bundles');
}
