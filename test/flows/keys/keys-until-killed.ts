/**
 * A process that lets keys live through everything (pool, enrolment, recovery, rotation, sealing anew, destruction; and a managed one beside it) and is
 * killed at its transaction of that number: in it, before it commits, or right after. Arguments: address of an empty
 * database, number (0: never), `before` or `after`. Prints the folder of its keystore, and `done N` when it was not killed.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newId } from '../../../src/domain/id.ts';
import { commandKey } from '../../../src/flows/keys/command-key.ts';
import { destroyDueKeys } from '../../../src/flows/keys/destroy-due-keys.ts';
import { moveLifeTarget } from '../../../src/flows/keys/life-target.ts';
import { transitionKey } from '../../../src/flows/keys/transition-key.ts';
import { rewrapKeys } from '../../../src/flows/keystore/rewrap-keys.ts';
import { rotateKek } from '../../../src/flows/keystore/rotate-kek.ts';
import { createManagedKey } from '../../../src/flows/managed-keys/create-managed-key.ts';
import { rotateManagedKey } from '../../../src/flows/managed-keys/rotate-managed-key.ts';
import { refillPool } from '../../../src/flows/pools/refill-pool.ts';
import type { Transaction } from '../../../src/flows/ports/database.ts';
import { recoverUserKey } from '../../../src/flows/recoveries/recover-user-key.ts';
import { SYSTEM, TestInstance, withPool } from '../../fixtures/instance.ts';
import { enrolled } from '../recoveries/enrolled.ts';

const [url = '', number = '0', mode = 'before'] = process.argv.slice(2);
const SOURCE = { node: 'node-1' };
const test = await TestInstance.make(url);
const instance = withPool(test.instance, { batch: 6, low: 1, high: 6, onDemand: false });
const { custodianOne, custodianTwo } = test.people;
const custodians = await Promise.all(
  [custodianOne, custodianTwo].map(async ({ id, key, certificate, caller }) => ({
    id,
    key: (await instance.engine.exportPkcs8(key, Buffer.from('a passphrase'), 'gmssl')).toString('base64'),
    certificate: certificate.der.toString('base64'),
    caller,
    share: test.shares.get(id)?.toString('base64'),
  })),
);
writeFileSync(join(test.folder, 'custodians.json'), JSON.stringify(custodians));
process.stdout.write(`${test.folder}\n`);

function die(): Promise<never> {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => undefined);
}

let count = 0;
const { database } = test;
const transaction = database.transaction.bind(database);
database.transaction = async <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => {
  count += 1;
  const isLast = count === Number(number);
  if (isLast && mode === 'before') {
    return await transaction(async (tx) => {
      await work(tx);
      return await die();
    });
  }
  const result = await transaction(work);
  return isLast ? await die() : result;
};

await refillPool(instance, SYSTEM, { pool: 'sm2-encryption' });
const device = await enrolled(test, 'gw-1', instance);
const { authorityId = '', certificateSerial = '' } = device.key.owner ?? {};
const asked = { authorityId, certificateSerial, recipientSpki: device.sign.spki };
await recoverUserKey(instance, test.people.caOperatorOne.caller, asked);
await rotateKek(instance, { purpose: 'escrow-store', source: SOURCE }, SYSTEM);
while ((await rewrapKeys(instance, SYSTEM, 2)) > 0);
await rotateKek(instance, { purpose: 'ca-keys', source: SOURCE }, SYSTEM);
while ((await rewrapKeys(instance, SYSTEM, 2)) > 0);
const reason = { reason: 'a test', keyId: device.key.id };
await commandKey(instance, test.people.caOperatorOne.caller, { ...reason, act: 'deactivate' });
await database.transaction(async (tx) => {
  const key = await tx.escrowedKeys.find(device.key.id);
  if (key === undefined) throw new Error('the key is gone');
  const at = test.clock.now();
  const change = {
    act: 'schedule-destruction',
    auditEvent: newId('ev', at),
    at,
    actor: SYSTEM,
    source: SOURCE,
  } as const;
  await transitionKey(tx, key, { ...change, destroyAfter: at });
});
await destroyDueKeys(instance, SYSTEM);
const { caller } = test.people.caOperatorOne;
const managed = await createManagedKey(instance, caller, { name: 'a test', kind: 'sm4', exportable: false });
await rotateManagedKey(instance, caller, { keyId: managed.id, reason: 'a test' });
await rotateKek(instance, { purpose: 'db-field', source: SOURCE }, SYSTEM);
while ((await rewrapKeys(instance, SYSTEM, 1)) > 0);
await commandKey(instance, caller, { ...reason, keyId: managed.id, act: 'deactivate' });
await database.transaction(async (tx) => {
  const at = test.clock.now();
  const by = { auditEvent: newId('ev', at), at, actor: SYSTEM, source: SOURCE, destroyAfter: at } as const;
  await moveLifeTarget(tx, managed.id, { act: 'schedule-destruction', ...by });
});
await destroyDueKeys(instance, SYSTEM);
process.stdout.write(`done ${count}\n`);
await test.close();
