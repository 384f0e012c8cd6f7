/** Brings the schema up to date, forward only. Of two processes that start at once one migrates and the other waits. */
import type { Knex } from 'knex';
import { KmcError } from '../errors.ts';
import { MIGRATIONS, type Migration } from './migrations/index.ts';
import { APPLICATION_ID } from './sqlite-connection.ts';

const TABLE = 'schema_migrations';
/** The tables that knex keeps for itself. */
export const MIGRATION_TABLES: readonly string[] = [TABLE, `${TABLE}_lock`];
/** Any constant serves, as long as no other program locks it in this database. */
const ADVISORY_LOCK = APPLICATION_ID;

/**
 * The first statements of the migrating transaction. Both wait for another process that migrates: the advisory lock
 * falls with the transaction, and the pragma is a write, so SQLite gives it the one writer's place.
 */
const LOCKS = {
  sqlite: [`PRAGMA application_id = ${APPLICATION_ID}`],
  postgresql: [
    'set local lock_timeout = 0',
    'set local statement_timeout = 0',
    `select pg_advisory_xact_lock(${ADVISORY_LOCK})`,
  ],
} as const;

/** knex keeps the names: they stay as they are for ever, and are the same under tsx and in dist. */
function sourceOf(migrations: readonly Migration[]): Knex.MigrationSource<Migration> {
  return {
    getMigrations: () => Promise.resolve([...migrations]),
    getMigrationName: (migration) => migration.name,
    getMigration: (migration) => Promise.resolve({ up: migration.up, down: refuseDown }),
  };
}

/**
 * The first migrations, as a backup names them: its rows fit the tables that exactly these make.
 * @throws KmcError E_CONFIG when they are not the first of this program's.
 */
export function migrationsNamed(names: readonly string[]): readonly Migration[] {
  const first = MIGRATIONS.slice(0, names.length);
  if (first.length === names.length && first.every(({ name }, place) => name === names[place])) return first;
  throw new KmcError(
    'E_CONFIG',
    'The backup was written by a newer version of this program. Restore it with that version.',
  );
}

/**
 * Runs the migrations that are missing, all in one transaction.
 * @param migrations all of them, or the first ones.
 * @throws KmcError E_CONFIG when the database was written by a newer version; the driver's error otherwise.
 */
export async function migrate(
  knex: Knex,
  engine: keyof typeof LOCKS,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  const applied = await appliedMigrations(knex);
  const unknown = applied.filter((name) => !migrations.some((migration) => migration.name === name));
  if (unknown.length > 0) {
    throw new KmcError('E_CONFIG', 'The database was written by a newer version of this program. Start that version.');
  }
  if (applied.length === migrations.length) return;
  await knex.transaction(async (trx) => {
    for (const statement of LOCKS[engine]) await trx.raw(statement);
    await trx.migrate.latest({ tableName: TABLE, migrationSource: sourceOf(migrations) });
  });
}

async function appliedMigrations(knex: Knex): Promise<string[]> {
  if (!(await knex.schema.hasTable(TABLE))) return [];
  const rows = await knex<{ name: string }>(TABLE).select('name').orderBy('id');
  return rows.map((row) => row.name);
}

function refuseDown(): Promise<never> {
  return Promise.reject(new KmcError('E_USAGE', 'Migrations run forward only. Restore a backup instead.'));
}
