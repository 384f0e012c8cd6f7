/** A restore, from the file of a backup to a home in its place: nothing stands there before all of it does. */
import { join } from 'node:path';
import { checkAll } from '../cli/check.ts';
import { readPieces } from '../cli/named-file.ts';
import { unsealWith } from '../cli/unseal-here.ts';
import type { Environment } from '../config/environment.ts';
import type { CryptoEngine } from '../crypto/engine.ts';
import { restoredOrigin } from '../domain/backup/after-restore.ts';
import type { BackupHeader } from '../domain/backup/backup-header.ts';
import { auditActor, type SystemCaller } from '../domain/caller.ts';
import { newId } from '../domain/id.ts';
import { signedTime } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { advanceAuditLog } from '../flows/audit/log/advance-audit-log.ts';
import { fenceRestored, type Fenced } from '../flows/backups/fence-restored.ts';
import { openRestoredLog } from '../flows/backups/open-restored.ts';
import { backupRecords, beginBackup, type BegunBackup } from '../flows/backups/read-backup.ts';
import { RestoredTables } from '../flows/backups/restored-tables.ts';
import { unsealBackup } from '../flows/backups/unseal-backup.ts';
import type { Participant } from '../flows/ceremonies/participant.ts';
import type { InvariantResult } from '../flows/check/check-instance.ts';
import type { RestorationRow } from '../flows/ports/backups.ts';
import { openFileKeystore } from '../keystore/file-keystore.ts';
import { fillDatabase } from '../store/database.ts';
import { makeAside } from './development/make-aside.ts';
import { checkHome, holdsInstance } from './home-folder.ts';
import { writeSettings } from './init.ts';
import { openInstance, SYSTEM_CLOCK, type OpenedInstance } from './open-instance.ts';

export interface RestoreOrder {
  /** Path of the backup. */
  readonly file: string;
  /** The instance that it must be of. */
  readonly instance: string;
  /** The certificate (DER) of the audit log that must have signed it; not given, the one in it is taken at its word. */
  readonly pinned: Buffer | undefined;
  /** The epoch of the service keystore that it must have reached. */
  readonly leastEpoch: number;
  /** Also one that was to be destroyed by now. */
  readonly expired: boolean;
  readonly people: readonly Participant[];
  readonly progress: (step: string, done: number, total: number) => void;
  /** What else is to be tried before the restored instance is closed. */
  readonly whileOpen?: (instance: OpenedInstance) => Promise<void>;
}

export interface Restored {
  readonly backup: BackupHeader;
  readonly origin: string;
  readonly rows: number;
  readonly fenced: Fenced;
  readonly invariants: readonly InvariantResult[];
}

const STEPS = 6;

/** @throws KmcError E_CONFLICT, E_ROLLBACK, E_PERIOD. */
function requireWanted({ header }: BegunBackup, order: RestoreOrder): void {
  if (header.instance !== order.instance) {
    throw new KmcError('E_CONFLICT', `The backup is of the instance ${header.instance}, not of ${order.instance}.`);
  }
  if (header.epoch < order.leastEpoch) {
    const text = `The backup is older than it must be: its keystore stands at epoch ${header.epoch}. Take a newer one.`;
    throw new KmcError('E_ROLLBACK', text);
  }
  if (!order.expired && header.expiresAt < SYSTEM_CLOCK.now()) {
    throw new KmcError(
      'E_PERIOD',
      'The backup has expired and was to be destroyed. Take a newer one, or say --expired.',
    );
  }
}

/** The files of the keystore, the manifest last: before it nothing counts. */
async function writeKeystore(home: string, { archive }: BegunBackup): Promise<void> {
  const files = openFileKeystore(join(home, 'service'), 'service');
  try {
    await files.exclusively(() => {
      for (const { name, bytes } of archive.files) files.add(name, bytes);
      files.replaceManifest(archive.manifest);
    });
  } finally {
    files.close();
  }
}

/** Signs whatever waits, so that the check afterwards sees all of it. */
async function settleLog({ audit }: OpenedInstance): Promise<void> {
  const ports = await audit.ports();
  if (ports === undefined) return;
  for (;;) {
    const { sequenced, blocked } = await advanceAuditLog(ports, await audit.signer());
    if (sequenced === 0 || blocked) return;
  }
}

interface Restoring {
  readonly order: RestoreOrder;
  readonly restoration: Omit<RestorationRow, 'finishedAt'>;
  readonly note: string | undefined;
  readonly rows: number;
}

async function takeIntoService(
  instance: OpenedInstance,
  { order, restoration, note, rows }: Restoring,
): Promise<Pick<Restored, 'fenced' | 'invariants'>> {
  const caller: SystemCaller = { type: 'system', id: instance.node };
  await openRestoredLog(instance, restoration, note, caller);
  await unsealWith(instance, order.people);
  order.progress('unsealed', 3, STEPS);
  const fenced = await fenceRestored(instance, restoration, caller);
  const at = SYSTEM_CLOCK.now();
  const id = newId('ev', at);
  await instance.database.transaction(async (tx) => {
    if (!(await tx.backups.finishRestoration(restoration.id, at))) {
      throw new KmcError('E_CONFLICT', 'The restore was finished by another process. Restore alone.');
    }
    const { origin, previousOrigin, takenAt, backupId } = restoration;
    await tx.audit.append(
      {
        id,
        action: 'backup.restore',
        outcome: 'success',
        subjects: [{ type: 'backup', id: backupId }],
        actor: auditActor(caller),
        source: { node: instance.node },
        detail: { backup: backupId, takenAt: signedTime(takenAt), origin, previousOrigin, rows, ...fenced },
      },
      at,
    );
  });
  await settleLog(instance);
  order.progress('taken into service', 4, STEPS);
  const invariants = await checkAll(instance);
  await order.whileOpen?.(instance);
  order.progress('checked', 5, STEPS);
  return { fenced, invariants };
}

/**
 * Restores a backup into an empty home and an empty database, with the shares of k custodians; fences it, so that nothing
 * is given out twice that may have been given out after the backup was taken; and checks the invariants. The home stands
 * when all of it is done, and not before; an interrupted restore is run again.
 * @throws KmcError E_EXISTS (home or database hold something), E_CONFLICT (of another instance), E_ROLLBACK (older than
 * it must be), E_PERIOD, E_SHARES_FEW, E_SHARE_SET, E_SHARE_BAD, E_INTEGRITY, E_SIGNATURE, E_CONFIG (of a newer version).
 */
export async function restoreBackup(
  environment: Environment,
  engine: CryptoEngine,
  order: RestoreOrder,
): Promise<Restored> {
  checkHome(environment);
  if (holdsInstance(environment)) {
    throw new KmcError('E_EXISTS', 'There is an instance in this home already; nothing of it was changed.');
  }
  const begun = await beginBackup(readPieces(order.file));
  const { header } = begun;
  requireWanted(begun, order);
  const begunAt = SYSTEM_CLOCK.now();
  const ring = await unsealBackup(engine, begun, order.people, begunAt);
  order.progress('opened', 1, STEPS);
  const origin = restoredOrigin(header.origin, begunAt);
  const restored: { result?: Restored } = {};
  try {
    await makeAside(
      { ...environment, instance: header.instance, environment: header.environment, origin },
      async (aside) => {
        writeSettings(aside);
        await writeKeystore(aside.home, begun);
        const content = new RestoredTables(backupRecords(engine, ring.currentKek('backup'), begun, order.pinned));
        const restoration = {
          id: newId('restore', begunAt),
          backupId: header.id,
          takenAt: header.takenAt,
          origin,
          previousOrigin: header.origin,
          begunAt,
        };
        const rows = await fillDatabase({ url: aside.database }, header.schema, content.tables(), restoration);
        order.progress('filled', 2, STEPS);
        const instance = await openInstance(aside, { engine, isRestoring: true });
        try {
          const served = await takeIntoService(instance, { order, restoration, note: content.note, rows });
          restored.result = { backup: header, origin, rows, ...served };
        } finally {
          await instance.close();
        }
      },
    );
  } finally {
    ring.wipe();
  }
  if (restored.result === undefined) throw new KmcError('E_INTERNAL', 'The restore ended without a result.');
  order.progress('in its place', STEPS, STEPS);
  return restored.result;
}
