/**
 * A second process: opens the database, executes one request many times at once, and prints what came of each.
 * Arguments: address of the database, id of the request, number of calls.
 */
import { KmcError } from '../../../src/errors.ts';
import { executeRequest } from '../../../src/flows/approvals/execute-request.ts';
import { openDatabase } from '../../../src/store/database.ts';
import { AUDIT, countingHandler, portsOn, SOURCE, SYSTEM } from './approval-instance.ts';

const [url = '', requestId = '', calls = '0'] = process.argv.slice(2);
const database = await openDatabase({ url, audit: AUDIT, connections: 6 });
const ports = portsOn(database, { 'key.destroy': countingHandler() });
process.stdout.write('ready\n');
await new Promise<void>((resolve) => process.stdin.once('data', () => resolve()));
const outcomes = await Promise.all(
  Array.from({ length: Number(calls) }, async () => {
    try {
      await executeRequest(ports, { requestId, source: SOURCE }, SYSTEM);
      return 'done';
    } catch (error) {
      return error instanceof KmcError ? error.code : 'other';
    }
  }),
);
process.stdout.write(`${JSON.stringify(outcomes)}\n`);
await database.close();
process.stdin.destroy();
