import { randomFillSync } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import knexLibrary, { type Knex } from 'knex';
import sqlite3 from 'sqlite3';
import { openDatabase, type KmcDatabase } from '../../src/store/database.ts';
import { pragmaValue, prepareDatabase } from '../../src/store/sqlite-connection.ts';
import { startProcess } from './processes.ts';
import { refusal } from './race.ts';
import { person } from './rows.ts';

describe('a SQLite file', () => {
  let folder = '';
  let file = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kmc-file-'));
    file = join(folder, 'kmc.sqlite');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const using = async <T>(work: (database: KmcDatabase) => Promise<T>): Promise<T> => {
    const database = await openDatabase({ url: file });
    try {
      return await work(database);
    } finally {
      await database.close();
    }
  };
  const plain = async (work: (knex: Knex) => Promise<unknown>): Promise<void> => {
    const knex = knexLibrary({ client: 'sqlite3', connection: { filename: file }, useNullAsDefault: true });
    await work(knex);
    await knex.destroy();
  };

  it('is opened by its path, with and without the word sqlite', async () => {
    for (const url of [file, `sqlite:${file}`, `sqlite://${file}`]) {
      const database = await openDatabase({ url });
      expect(database.engine).to.equal('sqlite');
      await database.transaction((tx) => tx.instance.establish('instance-id', 'kmc-1'));
      await database.close();
    }
    await using(async (database) => {
      expect(await database.read(({ instance }) => instance.get('instance-id'))).to.equal('kmc-1');
    });
  });

  it('is not one in memory, and no other kind of database is opened', async () => {
    for (const url of ['', 'sqlite:', ':memory:', 'sqlite::memory:', 'mysql://localhost/kmc', 'sqlite:http://x/y']) {
      await refusal('E_CONFIG', openDatabase({ url }));
    }
    await refusal('E_STORAGE', openDatabase({ url: join(folder, 'missing', 'kmc.sqlite') }));
  });

  it('has an index over every column that names an event which may follow later', async () => {
    await using(() => Promise.resolve());
    const unindexed: string[] = [];
    await plain(async (knex) => {
      const rows = (statement: string): Promise<Record<string, string>[]> => knex.raw(statement);
      const tables = await rows(
        "select name, sql from sqlite_schema where type = 'table' and sql like '%references audit_event (id) deferrable%'",
      );
      expect(tables).to.have.length.greaterThan(3);
      for (const { name } of tables) {
        const keys = await rows(
          `select "from" as col from pragma_foreign_key_list('${name}') where "table" = 'audit_event'`,
        );
        for (const { col } of keys) {
          const indexes = await rows(
            `select i.name from pragma_index_list('${name}') i join pragma_index_info(i.name) c on c.seqno = 0 and c.name = '${col}'`,
          );
          if (indexes.length === 0) unindexed.push(`${name}.${col}`);
        }
      }
    });
    expect(unindexed).to.deep.equal([]);
  });

  it('is written durably: the settings are set and read back', async () => {
    for (const readOnly of [false, true]) {
      const database = await new Promise<sqlite3.Database>((resolve, reject) => {
        const opened: sqlite3.Database = new sqlite3.Database(file, (error) =>
          error ? reject(error) : resolve(opened),
        );
      });
      await prepareDatabase(database, readOnly);
      const settings = ['journal_mode', 'synchronous', 'foreign_keys', 'trusted_schema', 'busy_timeout', 'query_only'];
      const values = [];
      for (const setting of settings) values.push(await pragmaValue(database, setting));
      expect(values).to.deep.equal(['wal', 2, 1, 0, 5000, readOnly ? 1 : 0]);
      await new Promise((resolve) => database.close(resolve));
    }
  });

  it('is readable by its owner alone', async () => {
    await using(async (database) => {
      await database.transaction((tx) => tx.instance.establish('instance-id', 'x'));
      for (const name of [file, `${file}-wal`, `${file}-shm`])
        expect(statSync(name).mode & 0o777, name).to.equal(0o600);
    });
  });

  it('of another program is left alone', async () => {
    await plain((knex) => knex.raw('create table theirs (x integer)'));
    const before = readFileSync(file);
    await refusal('E_CONFIG', openDatabase({ url: file }));
    writeFileSync(file, 'This is a letter, not a database. '.repeat(50));
    await refusal('E_INTEGRITY', openDatabase({ url: file }));
    expect(before.length).to.be.greaterThan(0);
  });

  it('is refused when a page of it is damaged', async () => {
    await using((database) =>
      database.transaction(async ({ people }) => {
        for (let number = 0; number < 400; number += 1) await people.insert(person(`p-${number}`));
      }),
    );
    const size = statSync(file).size;
    const pageSize = 4096;
    let refused = 0;
    const sound = readFileSync(file);
    for (let page = 3; page * pageSize < size; page += 7) {
      const handle = openSync(file, 'r+');
      writeSync(handle, randomFillSync(Buffer.alloc(64)), 0, 64, page * pageSize);
      closeSync(handle);
      const error: unknown = await using(() => Promise.resolve()).catch((reason: unknown) => reason);
      if (error !== undefined) {
        expect(error).to.include({ code: 'E_INTEGRITY' });
        refused += 1;
      }
      writeFileSync(file, sound);
    }
    expect(refused).to.be.greaterThan(3);
  });

  it('that another process holds for 10 s is given up after 5 s, and works again afterwards', async function held() {
    this.timeout(30_000);
    await using(async (database) => {
      const holder = startProcess('hold', file);
      await holder.spoke;
      const start = performance.now();
      const attempts = Array.from({ length: 5 }, (_, number) =>
        refusal(
          'E_STORAGE',
          database.transaction((tx) => tx.people.insert(person(`p-${number}`))),
        ),
      );
      const [error] = await Promise.all(attempts);
      const waited = performance.now() - start;
      expect(error?.retryAfter).to.equal(5);
      expect(waited).to.be.greaterThan(4_500).and.lessThan(8_000);
      holder.process.stdin?.end();
      await holder.ended;
      expect(await database.read(({ people }) => people.list({ limit: 10 }))).to.deep.equal([]);
      expect(await database.transaction((tx) => tx.people.insert(person('p-1')))).to.equal(true);
    });
  });
});
