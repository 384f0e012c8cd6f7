/**
 * A process that takes an upgrade up to the approved request for its pilot, and is killed in the transaction that makes
 * it, before it commits, or right after. Arguments: address of an empty database, `before` or `after`.
 */
import type { Transaction } from '../../../src/flows/ports/database.ts';
import { TestInstance } from '../../fixtures/instance.ts';
import { Upgrading } from '../../fixtures/upgrading.ts';

const [url = '', mode = 'before'] = process.argv.slice(2);
const test = await TestInstance.make(url);
const upgrading = await Upgrading.begin(test);
await upgrading.reach('STAGED');
const ring = ['gw-1'];
const { request = '' } = await upgrading.call('T4', { ring });
await upgrading.approve(request, 'root.pilot');

function die(): Promise<never> {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => undefined);
}

const { database } = test;
const transaction = database.transaction.bind(database);
database.transaction = async <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => {
  await transaction(async (tx) => {
    const result = await work(tx);
    return mode === 'before' ? await die() : result;
  });
  return await die();
};
await upgrading.call('T4', { ring });
