/**
 * A process that is killed in the middle: one execution hangs in its act outside of the database, another inside of its
 * transaction. Arguments: address of the database, ids of the two requests.
 */
import { executeRequest } from '../../../src/flows/approvals/execute-request.ts';
import { openDatabase } from '../../../src/store/database.ts';
import { AUDIT, countingHandler, portsOn, SOURCE, SYSTEM } from './approval-instance.ts';

const [url = '', outside = '', inside = ''] = process.argv.slice(2);
const database = await openDatabase({ url, audit: AUDIT, connections: 4 });
const counting = countingHandler();
const forever = new Promise<never>(() => undefined);
const alive = setInterval(() => undefined, 1000);

let reached: (() => void) | undefined;
const hangsOutside = new Promise<void>((resolve) => (reached = resolve));
const ports = portsOn(database, {
  'key.suspend': {
    kind: 'external',
    target: counting.target,
    settled: async () => undefined,
    act: () => {
      reached?.();
      return forever;
    },
  },
  'key.destroy': {
    ...counting,
    prepare: async (act) => {
      const apply = await counting.prepare(act);
      return async (tx) => {
        await apply(tx);
        process.stdout.write('hanging\n');
        return forever;
      };
    },
  },
});
void executeRequest(ports, { requestId: outside, source: SOURCE }, SYSTEM);
await hangsOutside;
await executeRequest(ports, { requestId: inside, source: SOURCE }, SYSTEM);
clearInterval(alive);
