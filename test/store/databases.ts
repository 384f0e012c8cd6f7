/**
 * Runs a suite of tests on SQLite and on PostgreSQL, each test with a fresh, migrated database. One PostgreSQL server
 * serves the whole run; it starts with the first test that needs it. KMC_TEST_PG_URL names an existing server instead.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import knexLibrary, { type Knex } from 'knex';
import { openDatabase, type DatabaseOptions, type KmcDatabase } from '../../src/store/database.ts';
import { startCluster, type PostgresCluster, type TestPlace } from './postgres-cluster.ts';

export interface DatabaseFixture {
  readonly engine: 'sqlite' | 'postgresql';
  /** The database of the running test. */
  readonly database: KmcDatabase;
  /** Its address: a second process opens it too. */
  readonly url: string;
  /** Another handle on it, as another process would have; closed after the test. */
  open(options?: Omit<DatabaseOptions, 'url'>): Promise<KmcDatabase>;
  /** Plain SQL on it, past the product: to break things, or to look at rows. */
  sql(statement: string, bindings?: readonly SqlValue[]): Promise<Record<string, unknown>[]>;
}

export interface FixtureOptions {
  /** How `fixture.database` is opened. */
  readonly open?: () => Omit<DatabaseOptions, 'url'>;
}

type SqlValue = string | number | Buffer | null;

const MISSING = 'PostgreSQL is missing (no initdb was found), so this half is skipped';

/** Runs `body` once for each engine. The members of the fixture are good inside of tests and their hooks. */
export function forEachDatabase(
  title: string,
  body: (fixture: DatabaseFixture) => void,
  options: FixtureOptions = {},
): void {
  for (const engine of ['sqlite', 'postgresql'] as const) {
    describe(`${title} (${engine})`, () => {
      const fixture = new RunningFixture(engine, options);
      beforeEach(async function prepareDatabase() {
        this.timeout(60_000); // the first one starts the server
        const place = await (engine === 'sqlite' ? sqlitePlace() : postgresPlace());
        if (place !== undefined) return fixture.begin(place);
        if (process.env['CI'] === 'true') throw new Error(`${MISSING}, and that is a failure with CI=true.`);
        if (this.currentTest !== undefined) this.currentTest.title += ` [${MISSING}]`;
        return this.skip();
      });
      afterEach(() => fixture.end());
      body(fixture);
    });
  }
}

class RunningFixture implements DatabaseFixture {
  readonly engine: DatabaseFixture['engine'];
  readonly #options: FixtureOptions;
  #place: TestPlace | undefined;
  #opened: KmcDatabase[] = [];
  #plain: Knex | undefined;

  constructor(engine: DatabaseFixture['engine'], options: FixtureOptions) {
    this.engine = engine;
    this.#options = options;
  }

  async begin(place: TestPlace): Promise<void> {
    this.#place = place;
    await this.open(this.#options.open?.());
  }

  async end(): Promise<void> {
    const place = this.#place;
    await Promise.all([...this.#opened.splice(0).map((database) => database.close()), this.#plain?.destroy()]);
    this.#plain = undefined;
    this.#place = undefined;
    await place?.release();
  }

  get url(): string {
    if (this.#place === undefined) throw new Error('The fixture has a database only while a test runs.');
    return this.#place.url;
  }

  get database(): KmcDatabase {
    const [first] = this.#opened;
    if (first === undefined) throw new Error('The fixture has a database only while a test runs.');
    return first;
  }

  async open(options: Omit<DatabaseOptions, 'url'> = {}): Promise<KmcDatabase> {
    const database = await openDatabase({ connections: 6, ...options, url: this.url });
    this.#opened.push(database);
    return database;
  }

  async sql(statement: string, bindings: readonly SqlValue[] = []): Promise<Record<string, unknown>[]> {
    this.#plain ??= plainKnex(this.url);
    const result: unknown = await this.#plain.raw(statement, [...bindings]);
    return (this.engine === 'sqlite' ? result : (result as { rows: unknown }).rows) as Record<string, unknown>[];
  }
}

let cluster: Promise<PostgresCluster | undefined> | undefined;
let files: { readonly folder: string; readonly template: string; count: number } | undefined;

// Registered when the first file with database tests loads, and only then.
after(async function removeDatabases() {
  this.timeout(20_000);
  await (await cluster)?.stop();
  cluster = undefined;
  removeFiles();
});
process.once('exit', removeFiles);

async function postgresPlace(): Promise<TestPlace | undefined> {
  cluster ??= startCluster();
  return (await cluster)?.freshDatabase();
}

/** A copy of a file that was migrated once. */
async function sqlitePlace(): Promise<TestPlace> {
  files ??= await makeTemplate();
  const folder = join(files.folder, String((files.count += 1)));
  const file = join(folder, 'kmc.sqlite');
  mkdirSync(folder);
  copyFileSync(files.template, file);
  return { url: `sqlite:${file}`, release: () => Promise.resolve(rmSync(folder, { recursive: true, force: true })) };
}

async function makeTemplate(): Promise<NonNullable<typeof files>> {
  const folder = mkdtempSync(join(tmpdir(), 'kmc-sqlite-'));
  const template = join(folder, 'template.sqlite');
  await (await openDatabase({ url: template })).close();
  return { folder, template, count: 0 };
}

function removeFiles(): void {
  if (files !== undefined) rmSync(files.folder, { recursive: true, force: true });
  files = undefined;
}

function plainKnex(url: string): Knex {
  return url.startsWith('sqlite:')
    ? knexLibrary({ client: 'sqlite3', connection: { filename: url.slice('sqlite:'.length) }, useNullAsDefault: true })
    : knexLibrary({ client: 'pg', connection: url, pool: { min: 0, max: 1 } });
}
