/** Key-encryption keys under dual control: the next version of one, and the destruction of a version that holds nothing. */
import type { KekPurpose } from '../../crypto/engine.ts';
import { newId } from '../../domain/id.ts';
import { kekName } from '../../domain/keystore/blob-context.ts';
import { keystoreEvent } from '../../domain/keystore/keystore-event.ts';
import { KEYSTORE_PURPOSES } from '../../domain/keystore/keystore-kind.ts';
import { KmcError } from '../../errors.ts';
import { ABSENT, type ApprovedAct, type DatabaseHandler, type TargetState } from '../approvals/action-handler.ts';
import type { Instance } from '../instance.ts';
import type { Reader } from '../ports/database.ts';
import type { SealedKekRow } from '../ports/keystore-rows.ts';
import { blobsUnder } from './blobs-under.ts';
import { makeNextKek, storeNextKek } from './rotate-kek.ts';

/** What was MACed with it stays in the log: its old versions verify for as long as that. */
const KEPT: readonly KekPurpose[] = ['audit-mac', 'backup'];

function purposeOf(name: string): KekPurpose {
  const purpose = KEYSTORE_PURPOSES.service.find((one) => one === name);
  if (purpose === undefined)
    throw new KmcError('E_NOT_FOUND', `Key-encryption keys: ${KEYSTORE_PURPOSES.service.join(', ')}.`);
  return purpose;
}

function targetOf(act: ApprovedAct): string {
  return act.request.target.split('/')[1] ?? '';
}

async function currentVersion(reader: Reader, purpose: KekPurpose): Promise<number> {
  const rows = await reader.keystoreRows.keks();
  return rows.find((row) => row.purpose === purpose && row.state === 'current')?.version ?? 0;
}

/** The act `kek.rotate`: the next version of a key-encryption key. Target `kek/<purpose>`; no parameters. */
export function rotateKekAct(ports: Pick<Instance, 'keystore' | 'clock'>): DatabaseHandler {
  return {
    kind: 'database',
    async target(reader, targetId) {
      return { state: 'current', version: String(await currentVersion(reader, purposeOf(targetId))) };
    },
    async prepare(act) {
      const next = await makeNextKek(ports, purposeOf(targetOf(act)));
      const { purpose, version } = next.sealed;
      return async (tx) => {
        await storeNextKek(tx, next, act);
        return { kek: kekName(purpose, version) };
      };
    },
  };
}

async function versionNamed(reader: Reader, name: string): Promise<SealedKekRow | undefined> {
  const rows = await reader.keystoreRows.keks();
  return rows.find(({ purpose, version }) => kekName(purpose, version) === name);
}

/** @throws KmcError E_NOT_FOUND, E_STATE. */
async function requireDestroyable(reader: Reader, name: string, at: Date): Promise<SealedKekRow> {
  const row = await versionNamed(reader, name);
  if (row === undefined) throw new KmcError('E_NOT_FOUND', 'There is no such version, e.g. escrow-store-1.');
  if (row.state !== 'previous' || KEPT.includes(row.purpose)) {
    throw new KmcError('E_STATE', 'Only an earlier version is destroyed, and none that the audit log or backups need.');
  }
  const backups = await reader.backups.countHolding(name, at);
  if (backups > 0) {
    throw new KmcError(
      'E_STATE',
      `${backups} backups that have not expired hold ${name}: its destruction would be none.`,
    );
  }
  const blobs = await blobsUnder(reader, row);
  if (blobs === 0) return row;
  throw new KmcError('E_STATE', `${blobs} keys still stand under ${name}: wait until they are sealed anew.`);
}

/**
 * The act `kek.destroy` (crypto-shredding): a version under which no blob stands any more, so that every old copy of what
 * was destroyed stays ciphertext for good. Target `kek/<purpose>-<version>`; no parameters.
 */
export function destroyKekAct(ports: Pick<Instance, 'keystore' | 'clock'>): DatabaseHandler {
  return {
    kind: 'database',
    async target(reader, targetId): Promise<TargetState> {
      const row = await versionNamed(reader, targetId);
      return row === undefined ? ABSENT : { state: row.state, version: String(row.objectVersion) };
    },
    async check(reader, targetId) {
      await requireDestroyable(reader, targetId, ports.clock.now());
    },
    async prepare(act) {
      const { epoch } = ports.keystore;
      const { actor, source, approvals, at } = act;
      const id = newId('ev', at);
      return async (tx) => {
        const name = targetOf(act);
        const { purpose, version } = await requireDestroyable(tx, name, at);
        if (!(await tx.keystoreRows.destroyKek(purpose, version, epoch))) {
          throw new KmcError('E_CONFLICT', 'Another node changed the keystore at the same time. Ask again.');
        }
        // Whoever sealed under it in between committed before this statement, which waited for it.
        await requireEmpty(tx, { purpose, version });
        const detail = { kek: purpose, kekVersion: version };
        const event = keystoreEvent({ id, action: 'keystore.kek-destroy', epoch, actor, source, detail });
        await tx.audit.append({ ...event, approvals }, at);
        return { kek: name, state: 'destroyed' };
      };
    },
  };
}

async function requireEmpty(reader: Reader, kek: Pick<SealedKekRow, 'purpose' | 'version'>): Promise<void> {
  const row = await versionNamed(reader, kekName(kek.purpose, kek.version));
  if (row === undefined || (await blobsUnder(reader, row)) === 0) return;
  throw new KmcError('E_CONFLICT', 'A key was sealed under that version at the same time. Ask again.');
}
