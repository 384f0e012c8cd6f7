/**
 * The one writer of a SQLite file in this process. Transactions that wait at the same time share one BEGIN IMMEDIATE
 * and one commit, each in a savepoint of its own: the fsync of a commit costs more than a transaction. None of them is
 * answered before that commit is durable.
 */
import type { KmcError } from '../errors.ts';
import { RETRY_LIMIT_MS } from './engine.ts';
import { sqliteFault, type Fault } from './fault.ts';
import { pauseWithJitter } from './pause.ts';
import { runWork, Session, type Connection, type Sql } from './sql.ts';

/** Transactions that share a commit at most. */
const GROUP_LIMIT = 32;
const BEGIN_STEP_MS = 4;

/** The connection that the writer holds for itself. */
export interface WriterConnection extends Connection {
  /** BEGIN IMMEDIATE; false, without waiting, while another process is writing. */
  beginImmediate(): Promise<boolean>;
}

interface Waiting {
  /** Runs the work; what it resolves with tells the caller the result, after the commit. */
  readonly run: (session: Session) => Promise<() => void>;
  readonly reject: (error: unknown) => void;
}

export class SqliteWriter {
  readonly #connection: WriterConnection;
  #waiting: Waiting[] = [];
  #running = false;
  /** So many of those who wait next must not share a commit. */
  #singly = 0;
  #fatal: KmcError | undefined;

  constructor(connection: WriterConnection) {
    this.#connection = connection;
  }

  /** @param limitMs for how long at most; the others wait. */
  transaction<T>(work: (sql: Sql) => Promise<T>, limitMs?: number): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const run = async (session: Session): Promise<() => void> => {
        const value = await runWork(session, work, limitMs);
        return () => resolve(value);
      };
      this.#waiting.push({ run, reject });
      if (!this.#running) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#running = true;
    await Promise.resolve(); // lets transactions that start in the same turn join the group
    while (this.#waiting.length > 0) {
      if (this.#fatal !== undefined) this.#rejectAll(this.#waiting.splice(0), this.#fatal);
      else if (await this.#begin()) await this.#runGroup(this.#waiting.splice(0, this.#groupSize()));
    }
    this.#running = false;
  }

  /** False when it could not begin; those who waited are told. */
  async #begin(): Promise<boolean> {
    const deadline = performance.now() + RETRY_LIMIT_MS;
    try {
      while (!(await this.#connection.beginImmediate())) {
        if (performance.now() > deadline) throw Object.assign(new Error('BEGIN IMMEDIATE'), { code: 'SQLITE_BUSY' });
        await pauseWithJitter(BEGIN_STEP_MS);
      }
      return true;
    } catch (error) {
      this.#rejectAll(this.#waiting.splice(0), this.#fault(error).error);
      return false;
    }
  }

  async #runGroup(group: readonly Waiting[]): Promise<void> {
    const [only, ...others] = group;
    if (only === undefined) return this.#rollback();
    if (others.length === 0) return this.#runAlone(only);
    const answers: (() => void)[] = [];
    try {
      for (const member of group) answers.push(await this.#runMember(member));
      await this.#connection.run('COMMIT', []);
    } catch (error) {
      await this.#rollback();
      return this.#breakUp(group, this.#fault(error, true));
    }
    for (const answer of answers) answer();
  }

  /** After a rule that only the commit checks was broken by one of them, each gets a transaction of its own. */
  #breakUp(group: readonly Waiting[], fault: Fault): void {
    if (fault.kind === 'storage') return this.#rejectAll(group, fault.error);
    this.#waiting.unshift(...group);
    this.#singly = group.length;
  }

  #groupSize(): number {
    if (this.#singly === 0) return GROUP_LIMIT;
    this.#singly -= 1;
    return 1;
  }

  async #runAlone(member: Waiting): Promise<void> {
    const session = new Session(this.#connection);
    try {
      const answer = await member.run(session);
      await this.#commit();
      answer();
    } catch (error) {
      await this.#rollback();
      this.#note(session.fault);
      member.reject(error);
    }
  }

  /** Runs one transaction of a group. Rejects when the whole group is lost. */
  async #runMember(member: Waiting): Promise<() => void> {
    const session = new Session(this.#connection);
    await this.#connection.run('SAVEPOINT member', []);
    try {
      const answer = await member.run(session);
      await this.#connection.run('RELEASE member', []);
      return answer;
    } catch (error) {
      // A full or failing medium may have rolled the whole transaction back.
      if (session.fault?.kind === 'storage') throw session.fault.error;
      await this.#connection.run('ROLLBACK TO member', []);
      await this.#connection.run('RELEASE member', []);
      return () => member.reject(error);
    }
  }

  async #commit(): Promise<void> {
    try {
      await this.#connection.run('COMMIT', []);
    } catch (error) {
      throw this.#fault(error, true).error;
    }
  }

  async #rollback(): Promise<void> {
    try {
      await this.#connection.run('ROLLBACK', []);
    } catch {
      // SQLite has rolled back by itself, which is all that was wanted.
    }
  }

  #fault(error: unknown, atCommit = false): Fault {
    const fault = sqliteFault(error, atCommit);
    this.#note(fault);
    return fault;
  }

  #note(fault: Fault | undefined): void {
    if (fault?.error.fatal === true) this.#fatal ??= fault.error;
  }

  #rejectAll(members: readonly Waiting[], error: KmcError): void {
    for (const member of members) member.reject(error);
  }
}
