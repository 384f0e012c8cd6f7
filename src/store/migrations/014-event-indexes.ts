/**
 * Indexes over the events that rows name. The reference may be written before its event: SQLite then looks for the rows
 * that wait for it at each event, and would read the whole table for that.
 */
import type { Knex } from 'knex';
import { runAll } from './schema-words.ts';

export async function up(knex: Knex): Promise<void> {
  await runAll(knex, [
    'create index requests_by_event on requests (last_audit_event)',
    'create index certificates_by_event on certificates (last_audit_event)',
    'create index escrowed_keys_by_event on escrowed_keys (last_audit_event)',
    'create index blocked_keys_by_event on blocked_keys (audit_event)',
  ]);
}
