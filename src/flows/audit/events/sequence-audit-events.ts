import { sm3 } from '../../../crypto/gm/sm3.ts';
import { AUDIT_ACTIONS } from '../../../domain/audit/actions.ts';
import { rowMacMessage } from '../../../domain/audit/event.ts';
import { parseAuditRecord } from '../../../domain/audit/record.ts';
import { TILE_WIDTH, tileRoot } from '../../../domain/audit/tiles.ts';
import { leafHash } from '../../../domain/audit/tree.ts';
import { KmcError } from '../../../errors.ts';
import type { AuditLog, AuditRowMac, PendingEvent, SequencingBatch } from '../../ports/audit.ts';
import type { Clock } from '../../ports/database.ts';

export interface SequencedBatch {
  /** Index of the first event that got a place. */
  readonly first: number;
  readonly sequenced: number;
  /** Events put aside because they were not written by the service: raise an alarm. */
  readonly quarantined: readonly { readonly eventId: string; readonly reason: string }[];
  /** True when rows wait for a MAC key that is not there: the keystore is sealed. */
  readonly blocked: boolean;
}

/** Events that one batch takes at most: few enough that checking them does not hold other work up. */
export const SEQUENCING_BATCH = 1_024;

/**
 * Gives waiting events their places in the tree, in one transaction: dense indexes, tiles, end of waiting. Only events
 * that prove they came from the service get in: by their MAC; or, without one, if their action may happen while the
 * keystore is sealed, or the log is still empty (what the first ceremony writes before there is a key).
 * @returns undefined while another process is sequencing.
 * @throws KmcError E_STORAGE, E_INTEGRITY.
 */
export async function sequenceAuditEvents(
  ports: { readonly auditLog: AuditLog; readonly rowMac: AuditRowMac; readonly clock: Clock },
  limit: number = SEQUENCING_BATCH,
): Promise<SequencedBatch | undefined> {
  return await ports.auditLog.sequence(async (batch) => {
    const first = await batch.size();
    const { accepted, refused, blocked } = await screen(await batch.pending(limit), first === 0, ports.rowMac);
    const at = ports.clock.now();
    for (const { eventId, reason } of refused) await batch.quarantine(eventId, reason, at);
    await batch.settle([...accepted, ...refused].map((event) => event.eventId));
    await batch.appendLeaves(first, accepted);
    await extendTiles(
      batch,
      first,
      accepted.map((event) => event.leaf),
    );
    return { first, sequenced: accepted.length, quarantined: refused, blocked };
  });
}

interface Screened {
  readonly accepted: PendingEvent[];
  readonly refused: { readonly eventId: string; readonly reason: string }[];
  readonly blocked: boolean;
}

async function screen(events: readonly PendingEvent[], logIsEmpty: boolean, rowMac: AuditRowMac): Promise<Screened> {
  const accepted: PendingEvent[] = [];
  const refused: Screened['refused'] = [];
  for (const event of events) {
    const verdict = await judge(event, logIsEmpty, rowMac);
    // Later ones wait too: the order within a subject must stay.
    if (verdict === 'undecided') return { accepted, refused, blocked: true };
    if (verdict === 'accepted') accepted.push(event);
    else refused.push({ eventId: event.eventId, reason: verdict });
  }
  return { accepted, refused, blocked: false };
}

type Verdict = 'accepted' | 'undecided' | 'leaf-mismatch' | 'mac-mismatch' | 'mac-missing';

async function judge(event: PendingEvent, logIsEmpty: boolean, rowMac: AuditRowMac): Promise<Verdict> {
  const { canon, eventId, leaf, mac } = event;
  if (!leafHash(sm3, canon).equals(leaf)) return 'leaf-mismatch';
  if (mac === undefined) return mayLackMac(event, logIsEmpty) ? 'accepted' : 'mac-missing';
  const holds = await rowMac.verify(rowMacMessage(leaf, eventId), mac);
  if (holds === undefined) return 'undecided';
  return holds ? 'accepted' : 'mac-mismatch';
}

function mayLackMac({ canon, eventId }: PendingEvent, logIsEmpty: boolean): boolean {
  try {
    const record = parseAuditRecord(canon);
    return record.id === eventId && (logIsEmpty || AUDIT_ACTIONS[record.act].whileSealed);
  } catch (error) {
    if (error instanceof KmcError) return false;
    throw error;
  }
}

/** Adds the tiles that the new leaves complete, level by level: the roots of new tiles are new hashes one level up. */
async function extendTiles(batch: SequencingBatch, size: number, leaves: readonly Buffer[]): Promise<void> {
  let added = leaves;
  let before = size;
  for (let level = 0; added.length > 0; level += 1) {
    const partial = before % TILE_WIDTH;
    const start = before - partial;
    const hashes = [...(await hashesOn(batch, level, start, partial)), ...added];
    const roots: Buffer[] = [];
    for (let at = 0; at + TILE_WIDTH <= hashes.length; at += TILE_WIDTH) {
      const tile = Buffer.concat(hashes.slice(at, at + TILE_WIDTH));
      const root = tileRoot(sm3, tile);
      await batch.addTile({ level, index: (start + at) / TILE_WIDTH, hashes: tile, root });
      roots.push(root);
    }
    added = roots;
    before = start / TILE_WIDTH;
  }
}

async function hashesOn(batch: SequencingBatch, level: number, from: number, count: number): Promise<Buffer[]> {
  if (count === 0) return [];
  return level === 0 ? await batch.leaves(from, count) : await batch.tileRoots(level - 1, from, count);
}
