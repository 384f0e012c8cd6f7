import { KmcError } from '../errors.ts';
import type { Engine } from './engine.ts';
import type { Sql } from './sql.ts';

/** An engine whose closing waits for the units of work that began, while no other begins. */
export class ClosableEngine implements Engine {
  readonly name: Engine['name'];
  readonly #engine: Engine;
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(engine: Engine) {
    this.name = engine.name;
    this.#engine = engine;
  }

  read<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#run(() => this.#engine.read(work));
  }

  snapshot<T>(work: (sql: Sql) => Promise<T>, limitMs?: number): Promise<T> {
    return this.#run(() => this.#engine.snapshot(work, limitMs));
  }

  transaction<T>(work: (sql: Sql) => Promise<T>, limitMs?: number): Promise<T> {
    return this.#run(() => this.#engine.transaction(work, limitMs));
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAfterUnits();
    return this.#closing;
  }

  async #closeAfterUnits(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    await this.#engine.close();
  }

  async #run<T>(unit: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new KmcError('E_STORAGE', 'The database was closed. Open it again.');
    const running = unit();
    this.#underWay.add(running);
    try {
      return await running;
    } finally {
      this.#underWay.delete(running);
    }
  }
}
