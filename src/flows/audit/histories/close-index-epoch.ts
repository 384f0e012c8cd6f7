import { sm3 } from '../../../crypto/gm/sm3.ts';
import {
  INDEX_RULE,
  indexEntryOctets,
  indexKeysOf,
  placeHash,
  TileCutter,
} from '../../../domain/audit/history-index.ts';
import { parseAuditRecord } from '../../../domain/audit/record.ts';
import { CompactRange, HASH_OCTETS, leafHash } from '../../../domain/audit/tree.ts';
import { auditActor, type SystemCaller } from '../../../domain/caller.ts';
import { newId } from '../../../domain/id.ts';
import type { IndexedKey, IndexEpoch, IndexTile } from '../../ports/audit-index.ts';
import type { Clock, Database } from '../../ports/database.ts';

export interface IndexPorts {
  readonly database: Database;
  readonly clock: Clock;
  readonly node: string;
  readonly audit: { readonly origin: string };
}

/** Events and keys of one page: few enough that parsing and hashing them does not hold other work up. */
const EVENTS_AT_ONCE = 1_000;
const KEYS_AT_ONCE = 2_000;

/** A key with the new end of its tree. */
type ChangedKey = IndexedKey & { readonly added: readonly number[] };

/**
 * Closes an epoch of the index: what the signed leaves since the last one hold is put under its keys, and the root over
 * all keys becomes an event of the log. All that is slow happens before the transaction.
 * @returns the epoch; undefined when nothing new is signed, or another process closed it first.
 * @throws KmcError E_SEALED, E_STORAGE.
 */
export async function closeIndexEpoch(ports: IndexPorts, caller: SystemCaller): Promise<IndexEpoch | undefined> {
  const { database } = ports;
  const [last, signed] = await database.read(async (reader) => [
    await reader.auditIndex.newestEpoch(),
    (await reader.audit.newestCheckpoint())?.size ?? 0,
  ]);
  const from = last?.size ?? 0;
  if (signed <= from) return undefined;
  const changed = await changedKeys(database, await newPlaces(database, from, signed));
  const { entries, root, tiles } = await treeOver(database, changed);
  const at = ports.clock.now();
  const epoch: IndexEpoch = {
    epoch: (last?.epoch ?? 0) + 1,
    size: signed,
    entries,
    root,
    auditEvent: newId('ev', at),
    closedAt: at,
  };
  return (await store(ports, caller, epoch, changed, tiles)) ? epoch : undefined;
}

/** The leaf indexes that each key gets. */
async function newPlaces(database: Database, from: number, to: number): Promise<Map<string, number[]>> {
  const places = new Map<string, number[]>();
  for (let start = from; start < to; start += EVENTS_AT_ONCE) {
    const entries = await database.read(({ audit }) => audit.entries(start, Math.min(EVENTS_AT_ONCE, to - start)));
    for (const { index, canon } of entries) {
      for (const key of indexKeysOf(parseAuditRecord(canon))) {
        const known = places.get(key);
        if (known === undefined) places.set(key, [index]);
        else known.push(index);
      }
    }
  }
  return places;
}

/** By key, in octet order. */
async function changedKeys(
  database: Database,
  places: ReadonlyMap<string, readonly number[]>,
): Promise<readonly ChangedKey[]> {
  const keys = [...places.keys()].sort();
  const changed: ChangedKey[] = [];
  for (let start = 0; start < keys.length; start += KEYS_AT_ONCE) {
    const page = keys.slice(start, start + KEYS_AT_ONCE);
    const stored = await database.read(({ auditIndex }) => auditIndex.findKeys(page));
    const known = new Map(stored.map((found) => [found.key, found]));
    for (const key of page) {
      const added = places.get(key) ?? [];
      const range = rangeOf(known.get(key));
      for (const index of added) range.append(placeHash(sm3, index));
      changed.push({ key, count: range.size, nodes: Buffer.concat(range.nodes), added });
    }
  }
  return changed;
}

/** The compact range over the leaf indexes of a key. */
function rangeOf(stored: Pick<IndexedKey, 'count' | 'nodes'> | undefined): CompactRange {
  if (stored === undefined) return new CompactRange(sm3);
  const { count, nodes } = stored;
  const hashes = Array.from({ length: nodes.length / HASH_OCTETS }, (_, at) =>
    nodes.subarray(at * HASH_OCTETS, (at + 1) * HASH_OCTETS),
  );
  return new CompactRange(sm3, count, hashes);
}

/** The octets of the entry that stands for a key. */
export function entryOctetsOf(stored: IndexedKey): Buffer {
  return indexEntryOctets({ key: stored.key, count: stored.count, root: rangeOf(stored).root() });
}

/** The tree over what stands already and what has changed, in the order of the keys. */
async function treeOver(
  database: Database,
  changed: readonly ChangedKey[],
): Promise<{ readonly entries: number; readonly root: Buffer; readonly tiles: readonly IndexTile[] }> {
  const cutter = new TileCutter(sm3);
  const range = new CompactRange(sm3);
  const append = (key: IndexedKey): void => {
    const leaf = leafHash(sm3, entryOctetsOf(key));
    cutter.append(leaf);
    range.append(leaf);
  };
  let next = 0;
  for (let after = ''; ;) {
    const page = await database.read(({ auditIndex }) => auditIndex.keysAfter(after, KEYS_AT_ONCE));
    for (const stored of page) {
      for (let head = changed[next]; head !== undefined && head.key < stored.key; head = changed[next]) {
        append(head);
        next += 1;
      }
      const head = changed[next];
      if (head?.key === stored.key) next += 1;
      append(head?.key === stored.key ? head : stored);
    }
    const last = page.at(-1);
    if (last === undefined) break;
    after = last.key;
  }
  for (const head of changed.slice(next)) append(head);
  return { entries: range.size, root: range.root(), tiles: cutter.finish() };
}

async function store(
  { database, node, audit: { origin } }: IndexPorts,
  caller: SystemCaller,
  epoch: IndexEpoch,
  changed: readonly ChangedKey[],
  tiles: readonly IndexTile[],
): Promise<boolean> {
  return await database.transaction(async (tx) => {
    if (!(await tx.auditIndex.replace(epoch, changed, tiles))) return false;
    const { entries, root, size } = epoch;
    await tx.audit.append(
      {
        id: epoch.auditEvent,
        action: 'audit.index',
        outcome: 'success',
        subjects: [{ type: 'log', id: origin }],
        actor: auditActor(caller),
        source: { node },
        detail: { entries, epoch: epoch.epoch, root: `sm3:${root.toString('hex')}`, rule: INDEX_RULE, size },
      },
      epoch.closedAt,
    );
    return true;
  });
}
