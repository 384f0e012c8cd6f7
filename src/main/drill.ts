/** A disaster drill: a restore in a place of its own, and the proof that what was restored would serve. */
import type { Environment } from '../config/environment.ts';
import type { CryptoEngine } from '../crypto/engine.ts';
import { envelopeKey } from '../flows/recoveries/envelope-key.ts';
import type { Instance } from '../flows/instance.ts';
import type { EscrowedKeyRow } from '../flows/ports/escrowed-keys.ts';
import { restoreBackup, type Restored, type RestoreOrder } from './restore.ts';

export interface Drilled {
  readonly restored: Restored;
  /** Escrowed keys that were opened and compared with their public keys. */
  readonly opened: number;
  /** Keys that went the whole way of a recovery: out of the escrow, to a new key, and open again there. */
  readonly recovered: number;
  /** What did not hold. */
  readonly broken: readonly string[];
  /** What would be lost: from the moment that the backup shows to the drill. */
  readonly recoveryPointSeconds: number;
  /** From the file to the checked instance, without the way of the custodians. */
  readonly recoveryTimeSeconds: number;
}

/** A key in use where there is one, else any that has not been destroyed. */
async function aKey({ database }: Instance): Promise<EscrowedKeyRow | undefined> {
  return await database.read(async ({ escrowedKeys }) => {
    for (const store of ['in-use', 'history', 'standby'] as const) {
      const [key] = await escrowedKeys.list({ store, algorithm: 'SM2' }, { limit: 1 });
      if (key !== undefined) return key;
    }
    return undefined;
  });
}

async function recoverOne(instance: Instance): Promise<{ readonly recovered: number; readonly broken: string[] }> {
  const key = await aKey(instance);
  if (key === undefined) return { recovered: 0, broken: [] };
  const { engine } = instance;
  const recipient = await engine.generateKeyPair('SM2');
  try {
    const envelope = await envelopeKey(instance, key, recipient.spki);
    const recovered = await engine.openEnvelopedKey(recipient, envelope);
    const isSame = recovered.spki.equals(key.spki);
    engine.destroyKey(recovered);
    return isSame ? { recovered: 1, broken: [] } : { recovered: 0, broken: [`${key.id} was recovered as another key`] };
  } finally {
    engine.destroyKey(recipient);
  }
}

/**
 * Restores a backup at a place that the caller removes, and tries what a restored instance is for.
 * @throws KmcError as restoreBackup.
 */
export async function drillBackup(place: Environment, engine: CryptoEngine, order: RestoreOrder): Promise<Drilled> {
  const began = performance.now();
  let proof: Awaited<ReturnType<typeof recoverOne>> = { recovered: 0, broken: [] };
  const restored = await restoreBackup(place, engine, {
    ...order,
    async whileOpen(instance) {
      proof = await recoverOne(instance);
    },
  });
  return {
    restored,
    opened: restored.invariants.find(({ id }) => id === 'I9')?.checked ?? 0,
    ...proof,
    recoveryPointSeconds: (Date.now() - restored.backup.takenAt.getTime()) / 1000,
    recoveryTimeSeconds: (performance.now() - began) / 1000,
  };
}
