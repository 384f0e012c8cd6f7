import { KmcError, type ErrorCode } from '../../errors.ts';

/** Work of one kind that can be stored alone, or with others in one transaction. */
export interface GroupWork<Item, Result> {
  /**
   * Stores all items or none; the results are in their order. May refuse whatever is not the plain case: each item then
   * comes alone.
   */
  together(items: readonly Item[]): Promise<readonly Result[]>;
  alone(item: Item): Promise<Result>;
}

/** In powers of two, so that the statements have few forms. */
const LARGEST_GROUP = 16;
/** What one member of a group may have brought about: nothing was stored, and the others have nothing to do with it. */
const OF_ONE_MEMBER: readonly ErrorCode[] = ['E_CONFLICT', 'E_KEY_BLOCKED', 'E_KEY_TAKEN', 'E_TOKEN'];

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Group commit: while one transaction runs, what comes waits and then shares the next one. Nobody is answered before the
 * transaction that holds his item is durable, and an item that is refused is refused alone.
 */
export class GroupCommit<Item, Result> {
  readonly #work: GroupWork<Item, Result>;
  readonly #waiting: Waiting<Item, Result>[] = [];
  #running = false;

  constructor(work: GroupWork<Item, Result>) {
    this.#work = work;
  }

  /** Resolves with what was stored for the item, once that is durable. */
  store(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (!this.#running) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      let size = LARGEST_GROUP;
      while (size > this.#waiting.length) size /= 2;
      await this.#run(this.#waiting.splice(0, size));
    }
    this.#running = false;
  }

  async #run(group: readonly Waiting<Item, Result>[]): Promise<void> {
    if (group.length === 1) return await this.#runAlone(group);
    let results: readonly Result[];
    try {
      results = await this.#work.together(group.map(({ item }) => item));
    } catch (error) {
      const isOfOne = error instanceof KmcError && OF_ONE_MEMBER.includes(error.code);
      if (isOfOne) return await this.#runAlone(group);
      for (const { reject } of group) reject(error);
      return;
    }
    for (const [at, { resolve, reject }] of group.entries()) {
      const result = results[at];
      if (result === undefined) reject(new KmcError('E_INTERNAL', 'A group was stored without one of its members.'));
      else resolve(result);
    }
  }

  async #runAlone(group: readonly Waiting<Item, Result>[]): Promise<void> {
    await Promise.all(group.map(({ item, resolve, reject }) => this.#work.alone(item).then(resolve, reject)));
  }
}
