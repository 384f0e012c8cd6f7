/**
 * A process that draws keys from the pool until it is empty, each with its audit event in one transaction, and prints the
 * ids. Arguments: address of the database, name of the client, most keys.
 */
import { newId } from '../../../src/domain/id.ts';
import { ownedKey, takeKey } from '../../../src/flows/keys/take-key.ts';
import { KmcError } from '../../../src/errors.ts';
import { openDatabase } from '../../../src/store/database.ts';
import { randomBytes } from '../../../src/crypto/random.ts';
import { owner } from '../../store/rows.ts';
import { hmacSm3 } from '../../../src/crypto/gm/sm3.ts';

const AUDIT = {
  origin: 'kmc.test/audit',
  rowMac: {
    compute: (message: Buffer) => Promise.resolve({ mac: hmacSm3(Buffer.from('test'), message), version: 1 }),
    verify: () => Promise.resolve(true),
  },
  verified: { newest: () => undefined },
};
const [url = '', client = '', most = '1000000', lanes = '1'] = process.argv.slice(2);
const database = await openDatabase({ url, audit: AUDIT, connections: Number(lanes) + 1 });

/** True when a key was drawn, false when the pool is empty. */
async function draw(serial: string): Promise<boolean> {
  for (;;) {
    const from = `sm3:${randomBytes(32).toString('hex')}`;
    const row = await database.read((reader) => reader.escrowedKeys.spare('SM2', from));
    if (row === undefined) return false;
    const at = new Date();
    const event = newId('ev', at);
    const key = ownedKey(row, owner('ca-1', serial), at, event);
    try {
      await database.transaction(async (tx) => {
        await takeKey(tx, key);
        await tx.audit.append(
          {
            id: event,
            action: 'key.activate',
            outcome: 'success',
            subjects: [{ type: 'key', id: key.id, version: key.version }],
            actor: { type: 'system', id: client },
            source: { node: client },
            detail: { kid: key.spkiSm3 },
          },
          at,
        );
      });
      process.stdout.write(`${key.id}\n`);
      return true;
    } catch (error) {
      if (!(error instanceof KmcError) || error.code !== 'E_KEY_TAKEN') throw error;
    }
  }
}

process.stdout.write('ready\n');
await new Promise((resolve) => process.stdin.once('data', resolve));
let drawn = 0;
await Promise.all(
  Array.from({ length: Number(lanes) }, async (_, lane) => {
    for (let number = 0; drawn < Number(most); number += 1) {
      drawn += 1;
      if (!(await draw(`${client}-${lane}-${number}`))) return;
    }
  }),
);
await database.close();
process.stdin.destroy();
