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
    'create index trust_bundles_by_event on trust_bundles (last_audit_event)',
    'create index key_batches_by_event on key_batches (last_audit_event)',
    'create index key_faults_by_event on key_faults (audit_event)',
    'create index recoveries_by_event on recoveries (audit_event)',
    'create index key_tombstones_by_event on key_tombstones (audit_event)',
    'create index communication_certificates_by_event on communication_certificates (last_audit_event)',
    'create index sealed_accounts_by_event on sealed_accounts (last_audit_event)',
    'create index break_glass_by_event on break_glass (last_audit_event)',
    'create index issuance_pause_by_event on issuance_pause (last_audit_event)',
  ]);
}
