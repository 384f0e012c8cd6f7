import type { AskedUses, KeyUseTally } from '../../domain/key-use-tally.ts';
import { newId } from '../../domain/id.ts';
import { useBlock } from '../../domain/managed-key.ts';
import { KmcError } from '../../errors.ts';
import type { Clock, Database } from '../ports/database.ts';
import type { KeyUseBlock } from '../ports/key-uses.ts';

export interface UsePorts {
  readonly database: Pick<Database, 'read' | 'transaction'>;
  readonly clock: Clock;
  readonly uses: KeyUseTally<KeyUseBlock>;
}

/** Other processes that reserve at the same moment leave less each time, so that this many tries mean trouble. */
const TRIES = 100;

/**
 * Takes uses of a version before they are made. They are reserved in durable blocks: whatever becomes of this process, no
 * use goes unaccounted, a crash loses the rest of a block at the most, and no number of processes passes the limit.
 * @throws KmcError E_PERIOD when the limit of the version leaves too few; E_STORAGE.
 */
export async function takeUses(ports: UsePorts, asked: AskedUses): Promise<void> {
  while (!ports.uses.take(asked, ports.clock.now())) {
    await ports.uses.reserve(asked, () => reserveBlock(ports, asked));
  }
}

async function reserveBlock(
  { database, clock }: UsePorts,
  { versionId, count, limit }: AskedUses,
): Promise<{ readonly block: KeyUseBlock; readonly size: number }> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const reserved = limit === undefined ? 0 : await database.read((reader) => reader.keyUses.reserved(versionId));
    const size = useBlock(count, limit === undefined ? undefined : limit - reserved);
    if (size === 0) throw new KmcError('E_PERIOD', 'The uses of this version of the key are used up. Rotate the key.');
    const reservedAt = clock.now();
    const block = { id: newId('use', reservedAt), versionId, size, limited: limit !== undefined, reservedAt };
    if (await database.transaction((tx) => tx.keyUses.reserve(block, limit))) return { block, size };
  }
  throw new KmcError('E_STORAGE', 'The uses of the key could not be reserved. Try again.');
}
