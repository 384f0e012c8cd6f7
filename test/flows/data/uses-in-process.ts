/**
 * A process that uses a managed key up to its limit. Arguments: address of the database, id of the version, limit, uses at
 * a time, and `until-killed` to be killed after ten times, before anything is accounted for. Prints `ready`, waits for the
 * end of its input, and prints how many it made.
 */
import { once } from 'node:events';
import { KeyUseTally } from '../../../src/domain/key-use-tally.ts';
import { KmcError } from '../../../src/errors.ts';
import { takeUses } from '../../../src/flows/data/take-uses.ts';
import type { KeyUseBlock } from '../../../src/flows/ports/key-uses.ts';
import { openDatabase } from '../../../src/store/database.ts';

const [url = '', versionId = '', limit = '', count = '1', mode = ''] = process.argv.slice(2);
const database = await openDatabase({ url, connections: 2 });
const ports = { database, clock: { now: () => new Date() }, uses: new KeyUseTally<KeyUseBlock>() };
const caller = { id: 'app-1', certificateSm3: 'sm3:00' };
const use = { versionId, number: 1, operation: 'mac', count: Number(count), limit: Number(limit), caller } as const;
process.stdout.write('ready');
await once(process.stdin.resume(), 'end');
let made = 0;
try {
  for (;;) {
    await takeUses(ports, use);
    made += use.count;
    if (mode === 'until-killed' && made >= 10 * use.count) process.kill(process.pid, 'SIGKILL');
  }
} catch (error) {
  if (!(error instanceof KmcError) || error.code !== 'E_PERIOD') throw error;
}
process.stdout.write(String(made));
await database.close();
