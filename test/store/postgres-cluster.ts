/**
 * Databases for tests on one PostgreSQL server. A migrated template is copied once; what a test leaves is wiped, and the
 * same copy serves the next test. A copy whose schema was touched is dropped, and so is everything at the end.
 */
import knexLibrary, { type Knex } from 'knex';
import { openDatabase } from '../../src/store/database.ts';
import { findPostgres, startPostgres } from './postgres-server.ts';

export interface TestPlace {
  readonly url: string;
  /** Gives it back after the test; every connection to it is closed by then. */
  release(): Promise<void>;
}

export interface PostgresCluster {
  freshDatabase(): Promise<TestPlace>;
  stop(): Promise<void>;
}

/** The rows that migrations and the first start leave, kept beside the tables they belong to. */
const KEEP_SEED = `do $$ declare name text; rows bigint; begin
  create schema seed;
  for name in select tablename from pg_tables where schemaname = 'public' loop
    execute format('select count(*) from public.%I', name) into rows;
    if rows > 0 then execute format('create table seed.%I as table public.%I', name, name); end if;
  end loop;
end $$`;

/** Back to the seed, past triggers and references. Deleting is faster than truncating while the tables are small. */
const WIPE = `do $$ declare name text; names text; size bigint; begin
  set local session_replication_role = replica;
  select string_agg(format('public.%I', tablename), ', '), sum(pg_relation_size(format('public.%I', tablename)::regclass))
    into names, size from pg_tables where schemaname = 'public';
  if size > 4000000 then execute 'truncate ' || names; end if;
  for name in select tablename from pg_tables where schemaname = 'public' loop
    if size <= 4000000 then execute format('delete from public.%I', name); end if;
    if to_regclass(format('seed.%I', name)) is not null then
      execute format('insert into public.%I select * from seed.%I', name, name);
    end if;
  end loop;
end $$`;

/** Tells apart any two schemas: tables and their columns, constraints, triggers, functions. */
const SCHEMA_MARK = `select md5(concat(
  (select string_agg(concat(oid, relnatts, relchecks), ',' order by oid) from pg_class where relnamespace = 'public'::regnamespace),
  (select string_agg(concat(oid, tgenabled), ',' order by oid) from pg_trigger),
  (select string_agg(concat(oid, md5(prosrc)), ',' order by oid) from pg_proc where pronamespace = 'public'::regnamespace)
)) as mark`;

/** A server of our own, or the one that KMC_TEST_PG_URL names; undefined where there is neither. */
export async function startCluster(): Promise<PostgresCluster | undefined> {
  const given = process.env['KMC_TEST_PG_URL'];
  if (given !== undefined) {
    return clusterOn(
      (name) => withDatabase(given, name),
      () => Promise.resolve(),
    );
  }
  const programs = findPostgres();
  if (programs === undefined) return undefined;
  const server = await startPostgres(programs);
  return clusterOn(
    (name) => server.url(name),
    () => server.stop(),
  );
}

async function clusterOn(url: (database: string) => string, stopServer: () => Promise<void>): Promise<PostgresCluster> {
  const admin = connect(url('postgres'));
  const run = `kmc_${process.pid.toString(36)}_${Date.now().toString(36)}`;
  await admin.raw('create database ??', [run]);
  const mark = await makeTemplate(url(run));
  const copies: string[] = [];
  const idle: string[] = [];

  const copy = async (): Promise<string> => {
    const name = `${run}_${copies.length}`;
    copies.push(name);
    // Copying files beats copying through the log where checkpoints are cheap: the server is nearly idle.
    await admin.raw('create database ?? template ?? strategy file_copy', [name, run]);
    return name;
  };
  return {
    async freshDatabase() {
      const name = idle.pop() ?? (await copy());
      return {
        url: url(name),
        release: async () => {
          if (await wiped(url(name), mark)) idle.push(name);
        },
      };
    },
    async stop() {
      for (const name of [...copies, run]) await admin.raw('drop database if exists ?? with (force)', [name]);
      await admin.destroy();
      await stopServer();
    },
  };
}

async function makeTemplate(url: string): Promise<string> {
  await (await openDatabase({ url })).close();
  const template = connect(url);
  try {
    await template.raw(KEEP_SEED);
    return await schemaMark(template);
  } finally {
    await template.destroy();
  }
}

/** False when the database is of no more use. */
async function wiped(url: string, mark: string): Promise<boolean> {
  const database = connect(url);
  try {
    if ((await schemaMark(database)) !== mark) return false;
    await database.raw(WIPE);
    return true;
  } catch {
    // The role of KMC_TEST_PG_URL may not switch triggers off; then each test gets a new copy.
    return false;
  } finally {
    await database.destroy();
  }
}

async function schemaMark(database: Knex): Promise<string> {
  const { rows } = await database.raw<{ rows: { mark: string }[] }>(SCHEMA_MARK);
  return rows[0]?.mark ?? '';
}

function connect(url: string): Knex {
  return knexLibrary({ client: 'pg', connection: url, pool: { min: 0, max: 1 } });
}

function withDatabase(url: string, name: string): string {
  const parsed = new URL(url);
  parsed.pathname = `/${name}`;
  return parsed.href;
}
