import { expect } from 'chai';
import { sqliteFault, type Fault } from '../../src/store/fault.ts';
import type { Dialect, Sql, SqlRecord } from '../../src/store/sql.ts';
import { SqliteWriter, type WriterConnection } from '../../src/store/sqlite-writer.ts';
import { refusal } from './race.ts';

/** A connection that writes down what it is told, and fails where a test wants it. */
class ScriptedConnection implements WriterConnection {
  readonly dialect: Dialect = { engine: 'sqlite', forUpdate: '', forUpdateSkipLocked: '', builder: undefined as never };
  readonly statements: string[] = [];
  readonly #faults = new Map<string, string[]>();

  /** The next `codes.length` runs of `statement` fail with these codes, one after another; `ok` lets one through. */
  fail(statement: string, ...codes: string[]): void {
    this.#faults.set(statement, codes);
  }

  all(statement: string): Promise<SqlRecord[]> {
    return this.run(statement).then(() => []);
  }

  run(statement: string): Promise<number> {
    this.statements.push(statement);
    const code = this.#faults.get(statement)?.shift() ?? 'ok';
    return code === 'ok'
      ? Promise.resolve(1)
      : Promise.reject(Object.assign(new Error(code), { code: code.split(' ')[0] }));
  }

  async beginImmediate(): Promise<boolean> {
    try {
      return (await this.run('BEGIN IMMEDIATE')) === 1;
    } catch (error) {
      if (sqliteFault(error).kind === 'collision') return false;
      throw error;
    }
  }

  fault(error: unknown): Fault {
    return sqliteFault(error);
  }
}

describe('the writer of a SQLite file', () => {
  const insert =
    (name: string) =>
    async (sql: Sql): Promise<string> => {
      await sql.run(name);
      return name;
    };

  it('gives a lone transaction its own commit', async () => {
    const connection = new ScriptedConnection();
    const writer = new SqliteWriter(connection);
    expect(await writer.transaction(insert('a'))).to.equal('a');
    expect(connection.statements).to.deep.equal(['BEGIN IMMEDIATE', 'a', 'COMMIT']);
  });

  it('lets those who wait together share one commit, each in its savepoint', async () => {
    const connection = new ScriptedConnection();
    const writer = new SqliteWriter(connection);
    connection.fail('b', 'SQLITE_CONSTRAINT UNIQUE');
    const [a, b, c] = await Promise.allSettled(['a', 'b', 'c'].map((name) => writer.transaction(insert(name))));
    expect([a?.status, b?.status, c?.status]).to.deep.equal(['fulfilled', 'rejected', 'fulfilled']);
    expect(connection.statements.join(', ')).to.equal(
      'BEGIN IMMEDIATE, SAVEPOINT member, a, RELEASE member, ' +
        'SAVEPOINT member, b, ROLLBACK TO member, RELEASE member, ' +
        'SAVEPOINT member, c, RELEASE member, COMMIT',
    );
  });

  it('answers nobody before the commit', async () => {
    const connection = new ScriptedConnection();
    const writer = new SqliteWriter(connection);
    const seen: string[][] = [];
    await Promise.all(
      ['a', 'b'].map((name) => writer.transaction(insert(name)).then(() => seen.push([...connection.statements]))),
    );
    for (const statements of seen) expect(statements.at(-1)).to.equal('COMMIT');
  });

  it('runs each alone when the shared commit breaks a rule, and only the guilty one fails', async () => {
    const connection = new ScriptedConnection();
    const writer = new SqliteWriter(connection);
    connection.fail('COMMIT', 'SQLITE_CONSTRAINT FOREIGN KEY', 'ok', 'SQLITE_CONSTRAINT FOREIGN KEY', 'ok');
    const results = await Promise.allSettled(['a', 'b', 'c'].map((name) => writer.transaction(insert(name))));
    expect(results.map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected', 'fulfilled']);
    expect(connection.statements.filter((statement) => statement === 'COMMIT')).to.have.length(4);
    expect(connection.statements.filter((statement) => statement === 'ROLLBACK')).to.have.length(2);
  });

  it('fails all of a group when the storage is full, and works again with room', async () => {
    const connection = new ScriptedConnection();
    const writer = new SqliteWriter(connection);
    connection.fail('COMMIT', 'SQLITE_FULL');
    await Promise.all(['a', 'b'].map((name) => refusal('E_STORAGE', writer.transaction(insert(name)))));
    connection.fail('d', 'SQLITE_FULL');
    await Promise.all(['c', 'd'].map((name) => refusal('E_STORAGE', writer.transaction(insert(name)))));
    expect(await writer.transaction(insert('e'))).to.equal('e');
  });

  it('writes nothing more after a failed fsync', async () => {
    const connection = new ScriptedConnection();
    const writer = new SqliteWriter(connection);
    connection.fail('COMMIT', 'SQLITE_IOERR');
    const error = await refusal('E_STORAGE', writer.transaction(insert('a')));
    expect(error.fatal).to.equal(true);
    const before = connection.statements.length;
    expect((await refusal('E_STORAGE', writer.transaction(insert('b')))).fatal).to.equal(true);
    expect(connection.statements).to.have.length(before);
  });

  it('waits while another process is writing', async () => {
    const connection = new ScriptedConnection();
    const writer = new SqliteWriter(connection);
    connection.fail('BEGIN IMMEDIATE', 'SQLITE_BUSY', 'SQLITE_BUSY');
    expect(await writer.transaction(insert('a'))).to.equal('a');
    expect(connection.statements.slice(0, 3)).to.deep.equal(['BEGIN IMMEDIATE', 'BEGIN IMMEDIATE', 'BEGIN IMMEDIATE']);
  });
});
