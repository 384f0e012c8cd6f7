import type { KekPurpose } from '../../crypto/engine.ts';
import type { AuditActor, AuditApproval, AuditSource } from '../../domain/audit/event.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { keystoreEvent } from '../../domain/keystore/keystore-event.ts';
import { KmcError } from '../../errors.ts';
import type { Clock, Transaction } from '../ports/database.ts';
import type { SealedKek } from './key-ring.ts';
import type { ServiceKeystore } from './service-keystore.ts';

export interface RotateKekPorts {
  readonly keystore: ServiceKeystore;
  readonly clock: Clock;
}

export interface RotateKekInput {
  readonly purpose: KekPurpose;
  readonly source: AuditSource;
}

/** The next version of a key-encryption key, made and sealed: it counts once its row is durable. */
export interface NextKek {
  readonly sealed: SealedKek;
  /** Of the files that this node holds. */
  readonly epoch: number;
  readonly auditEvent: string;
  readonly at: Date;
}

/**
 * Makes the next version of a key-encryption key of the service; nothing is stored yet.
 * @throws KmcError E_SEALED; E_INTEGRITY for a purpose of which the keystore has no key.
 */
export async function makeNextKek({ keystore, clock }: RotateKekPorts, purpose: KekPurpose): Promise<NextKek> {
  await keystore.reload();
  const version = keystore.currentKek(purpose).version + 1;
  const at = clock.now();
  const epoch = keystore.epoch;
  const sealed = await keystore.ringForChange().generateKek(purpose, version);
  return { sealed, epoch, auditEvent: newId('ev', at), at };
}

/**
 * Stores the next version, with its event. It seals from the moment that this is durable; the version before opens only
 * (security-and-faults 3.3). The files do not change; every node reads the rows again soon after.
 * @throws KmcError E_CONFLICT when another node changed the keystore, or rotated the same key, at the same time.
 */
export async function storeNextKek(
  tx: Transaction,
  { sealed: { purpose, version, blob, keyCheckValue }, epoch, auditEvent: id, at }: NextKek,
  by: { readonly actor: AuditActor; readonly source: AuditSource; readonly approvals?: readonly AuditApproval[] },
): Promise<void> {
  if (!(await tx.keystoreRows.addKek({ purpose, version, blob, keyCheckValue, createdAt: at }, epoch))) {
    throw new KmcError('E_CONFLICT', 'Another node changed the keystore; carry its files here and unseal again.');
  }
  const detail = { kek: purpose, kekVersion: version };
  const event = keystoreEvent({ id, action: 'keystore.kek-rotate', epoch, detail, ...by });
  await tx.audit.append({ ...event, ...(by.approvals === undefined ? {} : { approvals: by.approvals }) }, at);
}

/**
 * Makes the next version of a key-encryption key and puts it into use. Whether the caller may is decided by whoever calls
 * this: people do it by the act `kek.rotate`, the service by itself before the crypto-period ends.
 * @returns the new version.
 * @throws KmcError E_SEALED; E_CONFLICT when another node changed the keystore at the same time; E_STORAGE, E_AUDIT.
 */
export async function rotateKek(ports: RotateKekPorts, input: RotateKekInput, caller: Caller): Promise<number> {
  const next = await makeNextKek(ports, input.purpose);
  const by = { actor: auditActor(caller), source: input.source };
  await ports.keystore.ports.database.transaction((tx) => storeNextKek(tx, next, by));
  await ports.keystore.reload();
  return next.sealed.version;
}
