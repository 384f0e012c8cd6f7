/**
 * What the tests let another process do. `open <url>` opens and closes the database. `count <url> <times>` raises a
 * counter that often and prints the slowest time in milliseconds. `hold <url>` keeps the writer's lock of a SQLite file
 * until its input ends. `die <url>` is killed in the middle of a transaction.
 */
import { openDatabase } from '../../src/store/database.ts';
import { raiseCounter } from './counter.ts';
import { holdExclusively } from './sqlite-holder.ts';
import { person } from './rows.ts';

const [task, url = '', times = '0'] = process.argv.slice(2);

const TASKS: Readonly<Record<string, () => Promise<void>>> = {
  async open() {
    await (await openDatabase({ url })).close();
  },
  async count() {
    const database = await openDatabase({ url, connections: 2 });
    let slowest = 0;
    for (let round = 0; round < Number(times); round += 1) {
      const start = performance.now();
      await raiseCounter(database);
      slowest = Math.max(slowest, performance.now() - start);
    }
    await database.close();
    process.stdout.write(String(Math.round(slowest)));
  },
  async hold() {
    const release = await holdExclusively(url);
    process.stdout.write('held');
    await new Promise((resolve) => process.stdin.once('end', resolve).resume());
    await release();
  },
  async die() {
    const database = await openDatabase({ url, connections: 2 });
    await database.transaction(async (tx) => {
      await tx.people.insert(person('p-lost'));
      process.kill(process.pid, 'SIGKILL');
      await tx.people.insert(person('p-never'));
    });
  },
};

await TASKS[task ?? '']?.();
