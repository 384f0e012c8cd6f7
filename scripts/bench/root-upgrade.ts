/** Mass re-enrolment: pairs of another generation for devices that ordered them, durable, in one process. */
import { randomBytes } from 'node:crypto';
import { signOrder, type ReissueOrder } from '../../src/domain/fleet/reissue-order.ts';
import { enrolDevice } from '../../src/flows/enrolments/enrol-device.ts';
import { orderReissue } from '../../src/flows/fleet/order-reissue.ts';
import { workReissues } from '../../src/flows/fleet/work-reissues.ts';
import { sm3Fingerprint } from '../../src/x509/certificate.ts';
import { readyDevice, requestFor } from '../../test/fixtures/enrolling.ts';
import { TestInstance } from '../../test/fixtures/instance.ts';
import { secondGeneration } from '../../test/fixtures/second-generation.ts';
import { openPlace } from './database-place.ts';
import { summarize, type Benchmark, type BenchOptions, type Measurement } from './harness.ts';

async function ordering(test: TestInstance): Promise<ReissueOrder> {
  const { engine } = test.instance;
  const id = `gw-${randomBytes(6).toString('hex')}`;
  const ready = await readyDevice(test, id);
  const outcome = await enrolDevice(test.instance, ready.input);
  if (outcome.state !== 'ISSUED') throw new Error('a device of the benchmark was not enrolled');
  const csr = await requestFor(engine, ready.device, await engine.generateKeyPair('SM2'));
  const certificateSm3 = sm3Fingerprint(outcome.answer.signCertificate);
  return { deviceId: id, csr, certificateSm3, signature: await signOrder(engine, ready.key, csr) };
}

async function reissue({ quick }: BenchOptions): Promise<Measurement | undefined> {
  const place = await openPlace('sqlite');
  if (place === undefined) return undefined;
  const test = await TestInstance.make(place.url);
  const [rounds, devices] = quick ? [2, 32] : [5, 200];
  try {
    const generation = await secondGeneration(test);
    const lists: ReissueOrder[][] = [];
    for (let round = 0; round < rounds; round += 1) {
      const list: ReissueOrder[] = [];
      for (let at = 0; at < devices; at += 1) list.push(await ordering(test));
      lists.push(list);
    }
    await generation.activate();
    test.clock.advance(10);
    const rates: number[] = [];
    const { caller } = test.people.caOwner;
    for (const orders of lists) {
      await orderReissue(test.instance, caller, { upgradeId: 'ru-bench', orders, perMinute: 60_000 });
      const start = performance.now();
      const done = await workReissues(test.instance);
      if (done !== devices) throw new Error('an order of the benchmark was not worked on');
      rates.push((devices * 1000) / (performance.now() - start));
    }
    return summarize(rates, 'dual certificates/s', rounds * devices);
  } finally {
    await test.stop();
    await place.release();
  }
}

export const rootUpgradeBenchmarks: readonly Benchmark[] = [
  {
    name: 'rootupgrade.reissue',
    what: 'pairs re-issued under another root from signed orders, each durable with its key and audit events; no peer',
    run: reissue,
  },
];
