import { expect } from 'chai';
import { KmcError, type ErrorCode } from '../../../src/errors.ts';
import { GroupCommit } from '../../../src/flows/enrolments/group-commit.ts';

/** A group whose transactions end when the test says so. */
class Workshop {
  readonly groups: (readonly number[])[] = [];
  readonly alone: number[] = [];
  readonly group: GroupCommit<number, string>;
  /** The items that cannot be stored, and why. */
  readonly refused = new Map<number, ErrorCode>();
  #end: (() => void)[] = [];

  constructor() {
    this.group = new GroupCommit<number, string>({
      together: async (items) => {
        this.groups.push(items);
        await this.#ending();
        for (const item of items) this.#refuse(item);
        return items.map((item) => `stored ${item}`);
      },
      alone: async (item) => {
        this.alone.push(item);
        await this.#ending();
        this.#refuse(item);
        return `stored ${item}`;
      },
    });
  }

  /** Ends the transactions that are under way, and those that follow, until nothing waits. */
  async endAll(): Promise<void> {
    for (let turn = 0; turn < 50; turn += 1) {
      for (const end of this.#end.splice(0)) end();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #ending(): Promise<void> {
    return new Promise((resolve) => this.#end.push(resolve));
  }

  #refuse(item: number): void {
    const code = this.refused.get(item);
    if (code !== undefined) throw new KmcError(code, `not ${item}`);
  }
}

function outcomes(results: readonly PromiseSettledResult<string>[]): string[] {
  return results.map((result) =>
    result.status === 'fulfilled' ? result.value : result.reason instanceof KmcError ? result.reason.code : 'unknown',
  );
}

describe('a group commit', () => {
  it('stores the first alone, and together what came while it ran, in groups of a power of two', async () => {
    const workshop = new Workshop();
    const stored = Promise.all(Array.from({ length: 40 }, (_, item) => workshop.group.store(item)));
    await workshop.endAll();
    expect(await stored).to.deep.equal(Array.from({ length: 40 }, (_, item) => `stored ${item}`));
    expect(workshop.alone).to.deep.equal([0, 39]);
    expect(workshop.groups.map((group) => group.length)).to.deep.equal([16, 16, 4, 2]);
    expect(workshop.groups.flat()).to.deep.equal(Array.from({ length: 38 }, (_, at) => at + 1));
  });

  it('answers nobody before the transaction of his item has ended', async () => {
    const workshop = new Workshop();
    const answered: number[] = [];
    const stored = [0, 1, 2].map((item) => workshop.group.store(item).then(() => answered.push(item)));
    await new Promise((resolve) => setImmediate(resolve));
    expect(answered).to.deep.equal([]);
    await workshop.endAll();
    await Promise.all(stored);
    expect(answered).to.deep.equal([0, 1, 2]);
  });

  it('refuses the one that stands in the way, and stores the others', async () => {
    const workshop = new Workshop();
    workshop.refused.set(2, 'E_TOKEN').set(4, 'E_KEY_BLOCKED');
    const stored = Promise.allSettled([0, 1, 2, 3, 4].map((item) => workshop.group.store(item)));
    await workshop.endAll();
    expect(outcomes(await stored)).to.deep.equal(['stored 0', 'stored 1', 'E_TOKEN', 'stored 3', 'E_KEY_BLOCKED']);
    expect(workshop.groups).to.deep.equal([[1, 2, 3, 4]]);
  });

  it('does not try again what may have been stored already', async () => {
    const workshop = new Workshop();
    workshop.refused.set(2, 'E_STORAGE');
    const stored = Promise.allSettled([0, 1, 2].map((item) => workshop.group.store(item)));
    await workshop.endAll();
    expect(outcomes(await stored)).to.deep.equal(['stored 0', 'E_STORAGE', 'E_STORAGE']);
    expect(workshop.alone).to.deep.equal([0]);
  });
});
