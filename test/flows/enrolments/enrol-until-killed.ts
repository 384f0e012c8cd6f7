/** A process that enrols devices one after the other until it is killed. Argument: address of an empty database. */
import { enrolDevice } from '../../../src/flows/enrolments/enrol-device.ts';
import { refillPool } from '../../../src/flows/pools/refill-pool.ts';
import { readyDevice } from '../../fixtures/enrolling.ts';
import { SYSTEM, TestInstance, withPool } from '../../fixtures/instance.ts';

const [url = ''] = process.argv.slice(2);
const test = await TestInstance.make(url);
// The first enrolments take their keys from the pool, and nothing refills it.
await refillPool(withPool(test.instance, { batch: 20 }), SYSTEM, { pool: 'sm2-encryption' });
process.stdout.write('enrolling\n');
for (let device = 0; ; device += 1) {
  const { input } = await readyDevice(test, `gw-${device}`);
  const outcome = await enrolDevice(test.instance, input);
  // What is told here was answered, so it must be there afterwards.
  process.stdout.write(`${input.deviceId} ${outcome.state}\n`);
}
