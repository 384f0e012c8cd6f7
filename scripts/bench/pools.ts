/** The filling of a key pool: key pairs made, tested, sealed and stored durably. */
import { newId } from '../../src/domain/id.ts';
import { escrowedKeyContext } from '../../src/domain/keystore/blob-context.ts';
import type { Instance } from '../../src/flows/instance.ts';
import { fillPool } from '../../src/flows/pools/fill-pool.ts';
import { SYSTEM, TestInstance } from '../../test/fixtures/instance.ts';
import { openPlace } from './database-place.ts';
import { median, summarize, type Benchmark, type BenchOptions, type Measurement } from './harness.ts';

const POOL = 'sm2-encryption';
const ENDLESS = { low: 10_000_000, high: 20_000_000, batch: 100, onDemand: false, needsBackup: false };

function withEndlessPool(instance: Instance): Instance {
  const { policies } = instance;
  return { ...instance, policies: { ...policies, keys: { ...policies.keys, pools: { [POOL]: ENDLESS } } } };
}

/** Pairs a second that the engine makes, tests and seals, with nothing stored. */
async function withoutStorage({ engine, keystore }: Instance, batches: number): Promise<number> {
  const kek = keystore.currentKek('escrow-store');
  const start = performance.now();
  for (let batch = 0; batch < batches; batch += 1) {
    const contexts = Array.from({ length: ENDLESS.batch }, () => escrowedKeyContext(newId('key'), 1));
    await engine.generateSealedPairs(kek, contexts);
  }
  return (batches * ENDLESS.batch) / ((performance.now() - start) / 1000);
}

async function filled(instance: Instance, batches: number): Promise<number> {
  const selfTestedAt = new Date();
  const input = { pool: POOL, isFilling: true, selfTest: () => Promise.resolve(selfTestedAt) } as const;
  const start = performance.now();
  for (let batch = 0; batch < batches; batch += 1) await fillPool(instance, input, SYSTEM);
  return (batches * ENDLESS.batch) / ((performance.now() - start) / 1000);
}

async function measure(url: string, { quick }: BenchOptions): Promise<Measurement> {
  const [rounds, batches] = quick ? [3, 2] : [7, 5];
  const test = await TestInstance.make(url);
  const instance = withEndlessPool(test.instance);
  try {
    await filled(instance, 1);
    const own: number[] = [];
    const bare: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      own.push(await filled(instance, batches));
      bare.push(await withoutStorage(instance, batches));
    }
    return summarize(own, 'pairs/s', rounds * batches * ENDLESS.batch, { withoutStorage: median(bare) });
  } finally {
    await test.stop();
  }
}

export const poolBenchmarks: readonly Benchmark[] = [
  {
    name: 'pool.fill',
    what: 'key pairs made, tested pairwise, sealed and durable on SQLite, in batches of 100; withoutStorage = the same in the engine alone',
    async run(options) {
      const opened = await openPlace('sqlite');
      if (opened === undefined) return undefined;
      try {
        return await measure(opened.url, options);
      } finally {
        await opened.release();
      }
    },
  },
];
