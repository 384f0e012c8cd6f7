/**
 * Ends this process with SIGKILL as it is about to make its n-th durable change below a folder. Every change goes through
 * one of these calls of node:fs or through a transaction of the database: what lies between two of them leaves nothing.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const BY_PATH = ['renameSync', 'linkSync', 'unlinkSync', 'rmSync'] as const;
const BY_DESCRIPTOR = ['writeSync', 'ftruncateSync'] as const;

export class KillPoints {
  readonly #at: number;
  readonly #root: string;
  readonly #descriptors = new Set<number>();
  count = 0;

  /** @param at which change is not made any more, from 1; 0 for none. */
  constructor(root: string, at: number) {
    this.#root = root;
    this.#at = at;
    this.#install();
  }

  /** A change is about to be made. */
  reach(): void {
    this.count += 1;
    if (this.count === this.#at) process.kill(process.pid, 'SIGKILL');
  }

  /** Counts the transactions of a database too. */
  watch(store: { transaction: (work: never) => Promise<unknown> }): void {
    const transaction = store.transaction.bind(store);
    store.transaction = async (work) => {
      this.reach();
      return await transaction(work);
    };
  }

  #install(): void {
    const calls = fs as unknown as Record<string, (...args: readonly unknown[]) => unknown>;
    const replace = (
      name: string,
      before: (first: unknown) => void,
      after?: (result: unknown, first: unknown) => void,
    ) => {
      const original = calls[name]!;
      calls[name] = (...args) => {
        before(args[0]);
        const result = original(...args);
        after?.(result, args[0]);
        return result;
      };
    };
    const isInside = (path: unknown): boolean => typeof path === 'string' && path.startsWith(this.#root);
    for (const name of BY_PATH) replace(name, (path) => isInside(path) && this.reach());
    replace('mkdirSync', (path) => isInside(path) && !fs.existsSync(String(path)) && this.reach());
    for (const name of BY_DESCRIPTOR) {
      replace(name, (descriptor) => this.#descriptors.has(Number(descriptor)) && this.reach());
    }
    replace(
      'openSync',
      () => undefined,
      (descriptor, path) => isInside(path) && this.#descriptors.add(Number(descriptor)),
    );
    replace('closeSync', (descriptor) => this.#descriptors.delete(Number(descriptor)));
    syncBuiltinESMExports();
  }
}
