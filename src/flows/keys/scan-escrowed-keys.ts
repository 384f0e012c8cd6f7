import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';
import { openEscrowedKey, type OpenEscrowedKeyPorts } from './open-escrowed-key.ts';

export interface EscrowScan {
  readonly checked: number;
  /** Ids of the keys that do not open. */
  readonly broken: readonly string[];
}

const CURSOR = 'escrow-scan';
/** Keys of one round: about half a second of work. */
const ROUND = 300;

/**
 * One round of the scan that proves that every escrowed key opens and matches its public key. It goes round all of them,
 * from where the last round ended, in whatever process that was. A broken key is recorded at once; one that opens again is
 * forgotten from the list of faults.
 * @throws KmcError E_SEALED, E_STORAGE.
 */
export async function scanEscrowedKeys(ports: OpenEscrowedKeyPorts, round = ROUND): Promise<EscrowScan> {
  const { database, clock } = ports;
  const keys = await database.read(async (reader) => {
    const after = await reader.workCursors.position(CURSOR);
    return await reader.escrowedKeys.list({}, { limit: round, ...(after === undefined ? {} : { after }) });
  });
  const broken: string[] = [];
  let checked = 0;
  for (const key of keys) {
    if (key.store === 'tombstone') continue;
    checked += 1;
    if (!(await isSound(ports, key))) broken.push(key.id);
  }
  // Ids begin with a letter: the round after the last one begins anew.
  const position = keys.length < round ? '0' : (keys.at(-1)?.id ?? '0');
  await database.transaction((tx) => tx.workCursors.set(CURSOR, position, clock.now()));
  return { checked, broken };
}

async function isSound(ports: OpenEscrowedKeyPorts, key: EscrowedKeyRow): Promise<boolean> {
  try {
    ports.engine.destroyKey(await openEscrowedKey(ports, key));
  } catch (error) {
    if (error instanceof KmcError && error.code === 'E_STATE') return true;
    if (error instanceof KmcError && error.code === 'E_INTEGRITY') return false;
    throw error;
  }
  if ((await ports.database.read((reader) => reader.keyFaults.find(key.id))) !== undefined) await forget(ports, key);
  return true;
}

/** The row was restored: the key is no fault any more. */
async function forget(
  { database, clock, node }: Pick<Instance, 'database' | 'clock' | 'node'>,
  key: EscrowedKeyRow,
): Promise<void> {
  const at = clock.now();
  const id = newId('ev', at);
  await database.transaction(async (tx) => {
    if (!(await tx.keyFaults.clear(key.id))) return;
    await tx.audit.append(
      {
        id,
        action: 'key.restore',
        outcome: 'success',
        subjects: [{ type: 'key', id: key.id }],
        actor: { type: 'system', id: node },
        source: { node },
        detail: { kid: key.spkiSm3, kekVersion: key.kekVersion },
      },
      at,
    );
  });
}
