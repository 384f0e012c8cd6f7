/**
 * What a restored instance does before anybody uses it: whatever may have been given out after the backup was taken is
 * given out no second time (security-and-faults 2.4, 2.8).
 */
import type { AuditSource } from '../../domain/audit/event.ts';
import { crlNumberAfterRestore } from '../../domain/backup/after-restore.ts';
import { auditActor, type SystemCaller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { KEY_POOLS, POOL_NAMES } from '../../domain/key-pool.ts';
import { KmcError } from '../../errors.ts';
import { endRequest } from '../approvals/end-request.ts';
import { maySign } from '../authorities/issuing-authority.ts';
import { publishAllCrls } from '../certificates/publish-all-crls.ts';
import type { Instance } from '../instance.ts';
import { renewEpoch } from '../keystore/renew-epoch.ts';
import { releaseBatches } from '../pools/release-batches.ts';
import type { RestorationRow } from '../ports/backups.ts';

export interface Fenced {
  /** Of the service keystore: files of before write nothing here any more. */
  readonly epoch: number;
  /** Pool keys that may have gone to somebody: they stay recoverable and are never issued. */
  readonly keys: number;
  /** One-time tokens that may have been used. */
  readonly tokens: number;
  /** Requests that may have been executed. */
  readonly requests: number;
  /** CRLs that were published anew, under numbers above any of before. */
  readonly crls: number;
}

const PAGE = 500;
const REASON = 'restored';

/**
 * Raises the epoch of the keystore, withholds the spare keys of the pools, revokes tokens that no device has used, ends
 * requests that are not final, and publishes every CRL anew under a number that was never used.
 * @throws KmcError E_SEALED, E_STORAGE, E_INTEGRITY, E_CRL. Run again it goes on.
 */
export async function fenceRestored(
  ports: Instance,
  restoration: Pick<RestorationRow, 'backupId' | 'takenAt'>,
  caller: SystemCaller,
): Promise<Fenced> {
  const source: AuditSource = { node: ports.node };
  return {
    epoch: await renewEpoch(ports, { source }, caller),
    keys: await withholdPools(ports, restoration, source, caller),
    tokens: await revokeTokens(ports, source, caller),
    requests: await endRequests(ports, source, caller),
    crls: await publishAnew(ports, restoration.takenAt, caller),
  };
}

async function withholdPools(
  ports: Instance,
  { backupId, takenAt }: Pick<RestorationRow, 'backupId' | 'takenAt'>,
  source: AuditSource,
  caller: SystemCaller,
): Promise<number> {
  let withheld = 0;
  for (const pool of POOL_NAMES) {
    // What waited for a verified backup may have been released by a later one: this backup holds it, and was read whole.
    await releaseBatches(ports, caller, { pool, backupId, takenAt: afterStoring(ports, takenAt) });
    const at = ports.clock.now();
    const id = newId('ev', at);
    withheld += await ports.database.transaction(async (tx) => {
      const count = await tx.escrowedKeys.withholdSpare(KEY_POOLS[pool].algorithm, REASON, at, id);
      const event = {
        id,
        action: 'key.compromise',
        outcome: 'success',
        subjects: [{ type: 'pool', id: pool }],
      } as const;
      const detail = { pool, backup: backupId, count, from: 'spare', to: 'compromised', reason: REASON };
      if (count > 0) await tx.audit.append({ ...event, actor: auditActor(caller), source, detail }, at);
      return count;
    });
  }
  return withheld;
}

/** Every batch of the backup, also those that were stored in its last minute. */
function afterStoring({ clock }: Pick<Instance, 'clock'>, takenAt: Date): Date {
  return new Date(Math.min(clock.now().getTime(), takenAt.getTime() + 120_000));
}

async function revokeTokens({ database, clock }: Instance, source: AuditSource, caller: SystemCaller): Promise<number> {
  let revoked = 0;
  for (;;) {
    const page = await database.read((reader) => reader.enrolmentTokens.issued(PAGE));
    if (page.length === 0) return revoked;
    const at = clock.now();
    const events = page.map((token) => ({ token, id: newId('ev', at) }));
    await database.transaction(async (tx) => {
      for (const { token } of events) {
        if (await tx.enrolmentTokens.revoke(token.id)) continue;
        throw new KmcError('E_CONFLICT', 'A token changed while its instance was restored. Restore alone.');
      }
      const actor = auditActor(caller);
      const inputs = events.map(({ token, id }) => ({
        at,
        event: {
          id,
          action: 'token.revoke',
          outcome: 'success',
          subjects: [{ type: 'token', id: token.id }],
          terms: [{ type: 'device', id: token.deviceId }],
          actor,
          source,
          detail: { device: token.deviceId, reason: REASON },
        } as const,
      }));
      for (let start = 0; start < inputs.length; start += 50) await tx.audit.appendAll(inputs.slice(start, start + 50));
    });
    revoked += page.length;
  }
}

const UNFINISHED = ['OPEN', 'QUORUM', 'EXECUTING', 'INDETERMINATE', 'FAILED'] as const;
/** Where an unfinished request goes, until it goes nowhere. */
const WAY_OUT = {
  OPEN: { to: 'SUPERSEDED', action: 'request.supersede' },
  QUORUM: { to: 'SUPERSEDED', action: 'request.supersede' },
  EXECUTING: { to: 'FAILED', action: 'request.execute' },
  INDETERMINATE: { to: 'FAILED', action: 'request.execute' },
  FAILED: { to: 'SUPERSEDED', action: 'request.supersede' },
} as const;

/** In the order of the states: what was being executed fails first, and what failed is superseded last. */
async function endRequests(ports: Instance, source: AuditSource, caller: SystemCaller): Promise<number> {
  const ended = new Set<string>();
  for (const state of UNFINISHED) {
    for (;;) {
      const rows = await ports.database.read((reader) => reader.requests.list({ state }, { limit: PAGE }));
      if (rows.length === 0) break;
      for (const row of rows) {
        await endRequest(ports, row, { ...WAY_OUT[state], source, caller, now: ports.clock.now() });
        ended.add(row.id);
      }
    }
  }
  return ended.size;
}

async function publishAnew(ports: Instance, takenAt: Date, caller: SystemCaller): Promise<number> {
  const { database, clock } = ports;
  let published = 0;
  for (const row of await database.read((reader) => reader.authorities.list({}))) {
    if (!maySign(row, 'lists') || row.inventory === 'awaited') continue;
    const number = crlNumberAfterRestore(row.crlNumber, takenAt, clock.now());
    await database.transaction((tx) => tx.authorities.advanceCrlNumber(row.id, row.crlNumber, number));
    published += (await publishAllCrls(ports, caller, row.id)).length;
  }
  return published;
}
