import type { KekPurpose } from '../../crypto/engine.ts';
import type { AuditSource } from '../../domain/audit/event.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { keystoreEvent } from '../../domain/keystore/keystore-event.ts';
import { KmcError } from '../../errors.ts';
import type { Clock } from '../ports/database.ts';
import type { ServiceKeystore } from './service-keystore.ts';

export interface RotateKekPorts {
  readonly keystore: ServiceKeystore;
  readonly clock: Clock;
}

export interface RotateKekInput {
  readonly purpose: KekPurpose;
  readonly source: AuditSource;
}

/**
 * Makes the next version of a key-encryption key of the service. It seals from the moment that its row is durable; the
 * version before opens only (security-and-faults 3.3). The files do not change. Whether the caller may is decided by
 * whoever calls this: it runs behind an approved request.
 * @returns the new version.
 * @throws KmcError E_SEALED; E_CONFLICT when another node changed the keystore at the same time; E_STORAGE, E_AUDIT.
 */
export async function rotateKek(
  { keystore, clock }: RotateKekPorts,
  { purpose, source }: RotateKekInput,
  caller: Caller,
): Promise<number> {
  await keystore.reload();
  const version = keystore.currentKek(purpose).version + 1;
  const now = clock.now();
  const id = newId('ev', now);
  const epoch = keystore.epoch;
  const { blob, keyCheckValue } = await keystore.ringForChange().generateKek(purpose, version);
  await keystore.ports.database.transaction(async (tx) => {
    if (!(await tx.keystoreRows.addKek({ purpose, version, blob, keyCheckValue, createdAt: now }, epoch))) {
      throw new KmcError('E_CONFLICT', 'Another node changed the keystore; carry its files here and unseal again.');
    }
    const detail = { kek: purpose, kekVersion: version };
    const actor = auditActor(caller);
    await tx.audit.append(keystoreEvent({ id, action: 'keystore.kek-rotate', epoch, actor, source, detail }), now);
  });
  await keystore.reload();
  return version;
}
