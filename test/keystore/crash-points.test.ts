/**
 * Every change of a keystore, cut at every file system call: afterwards it is completed or undone, and nothing is lost.
 * `npm test` cuts at a part of the calls; KMC_TEST_CRASH_POINTS=all cuts at each.
 */
import { expect } from 'chai';
import { buildChild, CrashEnumerator, hasStrace, powerLossFaults, type TracedCall } from './crash/enumerator.ts';

const ALL = process.env['KMC_TEST_CRASH_POINTS'] === 'all';
const SET_TIMEOUT = ALL ? 600_000 : 60_000;
/** Points of each scenario in the quick set. */
const QUICK: readonly (readonly [string, number])[] = [
  ['create-service', 3],
  ['reshare-service', 4],
  ['create-ceremony', 3],
  ['make-root-key', 3],
];
const PROCESSES = 2;

/** `count` members, evenly spread, the first and the last among them. */
function spread<T>(members: readonly T[], count: number): T[] {
  if (ALL || members.length <= count) return [...members];
  const step = (members.length - 1) / Math.max(count - 1, 1);
  return Array.from({ length: count }, (_, at) => members[Math.round(at * step)]!);
}

async function violations(
  points: readonly TracedCall[],
  disturb: (point: TracedCall) => Promise<string | undefined>,
): Promise<string[]> {
  const found: string[] = [];
  const waiting = [...points];
  const worker = async (): Promise<void> => {
    for (let point = waiting.shift(); point !== undefined; point = waiting.shift()) {
      const violation = await disturb(point);
      if (violation !== undefined) found.push(violation);
    }
  };
  await Promise.all(Array.from({ length: PROCESSES }, worker));
  return found;
}

describe('crash points of the keystore', function () {
  this.timeout(SET_TIMEOUT);
  let child = '';
  let enumerator: CrashEnumerator | undefined;

  before(function () {
    if (hasStrace()) {
      child = buildChild();
      return;
    }
    if (process.env['CI'] === 'true')
      throw new Error('strace is missing or may not trace, which is a failure with CI=true');
    if (this.test) this.test.title += ' [strace is missing or may not trace: crash points are skipped]';
    this.skip();
  });
  afterEach(() => enumerator?.remove());

  for (const [name, count] of QUICK) {
    it(`${name} survives every cut, and no loss of power can reorder it`, async () => {
      const prepared = await CrashEnumerator.prepare(child, name);
      enumerator = prepared;
      const calls = await prepared.trace();
      expect(calls.length).to.be.greaterThan(10);
      expect(powerLossFaults(calls)).to.deep.equal([]);
      expect(await violations(spread(calls, count), (point) => prepared.cutAt(point))).to.deep.equal([]);
    });
  }

  it('an fsync that fails is final: nothing is written after it, and the next start goes on', async () => {
    const prepared = await CrashEnumerator.prepare(child, 'make-root-key');
    enumerator = prepared;
    const syncs = (await prepared.trace()).filter(({ name }) => name === 'fsync');
    expect(await violations(spread(syncs, 3), (point) => prepared.failAt(point, 'EIO'))).to.deep.equal([]);
    expect(await violations(spread(syncs.slice(3), 1), (point) => prepared.failAt(point, 'ENOSPC'))).to.deep.equal([]);
  });

  it('a wrong order of writes is reported', async () => {
    const prepared = await CrashEnumerator.prepare(child, 'wrong-order');
    enumerator = prepared;
    const calls = await prepared.trace();
    const manifest = calls.findIndex(({ name }) => name === 'rename');
    expect(manifest).to.be.greaterThan(0);
    const points = spread(calls.slice(manifest + 2, -5), 2);
    const found = await violations(points, (point) => prepared.cutAt(point));
    expect(found).to.have.length.greaterThan(1);
    expect(found.join('\n')).to.match(/missing/);
  });
});

describe('check of a trace for losses of power', () => {
  const call = (name: string, ...paths: string[]): TracedCall => ({ point: name, name, order: 1, paths });
  const good = [call('write', '/d/t'), call('fsync', '/d/t'), call('rename', '/d/t', '/d/f'), call('fsync', '/d')];

  it('finds nothing in the right order', () => expect(powerLossFaults([...good, ...good])).to.deep.equal([]));

  const wrong: readonly (readonly [string, readonly TracedCall[]])[] = [
    ['a rename before the sync of the file', [good[0]!, good[2]!, good[1]!, good[3]!]],
    ['a next file before the sync of the directory', [...good.slice(0, 3), ...good]],
    ['an end without the sync of the directory', good.slice(0, 3)],
  ];
  for (const [what, calls] of wrong) {
    it(`finds ${what}`, () => expect(powerLossFaults(calls)).to.have.length.greaterThan(0));
  }
});
