import type { Clock, Database } from '../../ports/database.ts';
import type { OutstandingReceipts } from './outstanding-receipts.ts';

/** The same database, but every receipt of a committed transaction is remembered until a checkpoint covers it. */
export function trackReceipts(database: Database, outstanding: OutstandingReceipts, clock: Clock): Database {
  return {
    read: (work) => database.read(work),
    snapshot: (work) => database.snapshot(work),
    async transaction(work) {
      const { result, receipts } = await database.transaction(async (tx) => ({
        result: await work(tx),
        receipts: tx.audit.receipts(),
      }));
      outstanding.add(receipts, clock.now());
      return result;
    },
  };
}
