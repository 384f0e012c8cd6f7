import { randomBytes } from '../../crypto/random.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import type { KeyHandle } from '../../crypto/engine.ts';
import { newId } from '../../domain/id.ts';
import { KEY_POOLS, poolEmpty, type PoolName } from '../../domain/key-pool.ts';
import { escrowedKeyContext } from '../../domain/keystore/blob-context.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';
import { sealingKek } from '../keystore/sealing-kek.ts';
import { openEscrowedKey } from './open-escrowed-key.ts';

export type ChooseKeyPorts = Pick<Instance, 'database' | 'clock' | 'node' | 'engine' | 'keystore' | 'policies'>;

/** A key for somebody, opened, that nobody has yet: `takeKey` decides who gets it. */
export interface ChosenKey {
  /** The spare row; for a key that was made just now, version 0 and not stored yet. */
  readonly row: EscrowedKeyRow;
  /** The caller destroys it. */
  readonly handle: KeyHandle;
}

const ON_DEMAND = 'on-demand';

/**
 * Chooses a key of the pool, outside of any transaction, so that what is slow (opening, enveloping, certifying) is done
 * before `takeKey` takes it in one statement. A broken key is recorded and passed over.
 * @throws KmcError E_POOL_EMPTY with Retry-After, where policy lets none be made on demand; E_SEALED, E_STORAGE.
 */
export async function chooseKey(ports: ChooseKeyPorts, pool: PoolName): Promise<ChosenKey> {
  for (;;) {
    const from = `sm3:${randomBytes(32).toString('hex')}`;
    const row = await ports.database.read((reader) => reader.escrowedKeys.spare(KEY_POOLS[pool].algorithm, from));
    if (row === undefined) {
      if (!ports.policies.keys.pools[pool].onDemand) throw poolEmpty();
      return await makeKey(ports, pool);
    }
    try {
      return { row, handle: await openEscrowedKey(ports, row) };
    } catch (error) {
      // A recorded fault takes it out of the choice; a key that was destroyed meanwhile is spare no longer.
      if (!(error instanceof KmcError) || (error.code !== 'E_INTEGRITY' && error.code !== 'E_STATE')) throw error;
    }
  }
}

async function makeKey(ports: ChooseKeyPorts, pool: PoolName): Promise<ChosenKey> {
  const { engine, clock } = ports;
  const { algorithm } = KEY_POOLS[pool];
  const at = clock.now();
  const id = newId('key', at);
  const kek = sealingKek(ports, 'escrow-store');
  const handle = await engine.generateKeyPair(algorithm);
  try {
    const sealedKey = await engine.sealKey(kek, escrowedKeyContext(id, 1), handle);
    const row: EscrowedKeyRow = {
      id,
      algorithm,
      state: 'spare',
      store: 'standby',
      version: 0,
      spki: handle.spki,
      spkiSm3: spkiSm3(handle.spki),
      sealedKey,
      kekVersion: kek.version,
      objectVersion: 1,
      batchId: ON_DEMAND,
      owner: undefined,
      createdAt: at,
      activatedAt: undefined,
      changedAt: at,
      stateReason: undefined,
      compromisedAt: undefined,
      destroyAfter: undefined,
      lastAuditEvent: '',
    };
    return { row, handle };
  } catch (error) {
    engine.destroyKey(handle);
    throw error;
  }
}
