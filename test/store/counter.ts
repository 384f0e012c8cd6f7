import type { Database } from '../../src/flows/ports/database.ts';

/** Reads a number, and writes the next one by compare-and-set, until it wins; returns how often it lost. */
export async function raiseCounter(database: Database): Promise<number> {
  for (let lost = 0; ; lost += 1) {
    const won = await database.transaction(async ({ instance }) => {
      const value = (await instance.get('environment')) ?? '';
      if (value === '') return instance.establish('environment', '1');
      return instance.replace('environment', value, String(Number(value) + 1));
    });
    if (won) return lost;
  }
}

export async function counterValue(database: Database): Promise<number> {
  return Number(await database.read(({ instance }) => instance.get('environment')));
}
