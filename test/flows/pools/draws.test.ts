/** Racing processes: no key goes to two owners, and none is lost. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { forEachDatabase, type DatabaseFixture } from '../../store/databases.ts';
import { authority, escrowedKey, recordEvent } from '../../store/rows.ts';

const ALL = process.env['KMC_TEST_CRASH_POINTS'] === 'all';
const SCRIPT = join(import.meta.dirname, 'draw-keys.ts');
/** How many keys, where fewer than in the long run are enough. */
const DRAWS = process.env['KMC_TEST_DRAWS'];
const KEYS_AT_ONCE = 1_000;

async function fill(fixture: DatabaseFixture, count: number): Promise<void> {
  const event = await recordEvent(fixture);
  await fixture.database.transaction((tx) => tx.authorities.insert(authority('ca-1')));
  for (let start = 0; start < count; start += KEYS_AT_ONCE) {
    const rows = Array.from({ length: Math.min(KEYS_AT_ONCE, count - start) }, (_, at) => {
      const number = start + at;
      // Spread like the digests of public keys: a multiplication that runs through all 32-bit numbers.
      const spread = (Math.imul(number + 1, 2_654_435_761) >>> 0).toString(16).padStart(8, '0');
      return escrowedKey(`k-${number}`, event, { spkiSm3: `sm3:${spread}${number.toString(16).padStart(56, '0')}` });
    });
    await fixture.database.transaction((tx) => tx.escrowedKeys.insertAll(rows));
  }
}

/** Starts the clients at the same moment. @returns the ids that each drew. */
async function race(fixture: DatabaseFixture, clients: number, lanes: number): Promise<string[][]> {
  const children = Array.from({ length: clients }, (_, client) => {
    const args = ['--import', 'tsx', SCRIPT, fixture.url, `client-${client}`, '1000000', String(lanes)];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() };
  });
  for (const { lines } of children) expect((await lines.next()).value).to.equal('ready');
  for (const { child } of children) child.stdin.write('go\n');
  return await Promise.all(
    children.map(async ({ child, lines }) => {
      const ids: string[] = [];
      for (let line = await lines.next(); line.done !== true; line = await lines.next()) ids.push(line.value);
      expect(child.exitCode ?? 0).to.equal(0);
      return ids;
    }),
  );
}

async function requireEachOnce(fixture: DatabaseFixture, drawn: string[][], count: number): Promise<void> {
  const ids = drawn.flat();
  expect(ids.length).to.equal(count);
  expect(new Set(ids).size).to.equal(count);
  const [left] = await fixture.sql("select count(*) as n from escrowed_keys where state <> 'active' or version <> 2");
  expect(Number(left?.['n'])).to.equal(0);
  const [owners] = await fixture.sql('select count(distinct certificate_serial) as n from escrowed_keys');
  expect(Number(owners?.['n'])).to.equal(count);
  const [events] = await fixture.sql("select count(*) as n from audit_event where act = 'key.activate'");
  expect(Number(events?.['n'])).to.equal(count);
}

forEachDatabase('processes that race for the keys of a pool', (fixture) => {
  it('get every key once, down to the last', async () => {
    await fill(fixture, 200);
    await requireEachOnce(fixture, await race(fixture, 2, 4), 200);
  }).timeout(60_000);

  if ((ALL || DRAWS !== undefined) && fixture.engine === 'postgresql') {
    const count = Number(DRAWS ?? 200_000);
    it(`get each of ${count} keys once, with 8 clients`, async () => {
      await fill(fixture, count);
      const began = performance.now();
      const drawn = await race(fixture, 8, 4);
      const seconds = (performance.now() - began) / 1000;
      await requireEachOnce(fixture, drawn, count);
      const each = drawn.map(({ length }) => length).join(', ');
      process.stdout.write(
        `      ${count} keys in ${seconds.toFixed(0)} s, none twice, none lost; by client: ${each}\n`,
      );
    }).timeout(3_600_000);
  }
});
