import { encodePem } from '../../../crypto/asn1/pem.ts';
import { sm3 } from '../../../crypto/gm/sm3.ts';
import type { AuditSource } from '../../../domain/audit/event.ts';
import { HISTORY_KIND, type HistoryFile, type HistoryIndexEntry } from '../../../domain/audit/history.ts';
import { nodesFromTiles } from '../../../domain/audit/tiles.ts';
import { compactNodes, inclusionProof, type NodeReader } from '../../../domain/audit/tree.ts';
import type { Caller } from '../../../domain/caller.ts';
import { KmcError } from '../../../errors.ts';
import type { AuditEntry, AuditReader, StoredCheckpoint } from '../../ports/audit.ts';
import type { IndexEpoch } from '../../ports/audit-index.ts';
import type { Reader } from '../../ports/database.ts';
import { recordPull, requireAuditReader } from '../pulls/pull-audit.ts';
import { storedTiles } from '../tree/read-audit-tile.ts';
import { closeIndexEpoch, entryOctetsOf, type IndexPorts } from './close-index-epoch.ts';

export interface HistoryInput {
  /** Key of the index: see indexKeysOf. */
  readonly key: string;
  readonly from?: Date;
  readonly to?: Date;
  readonly source: AuditSource;
}

export interface HistoryPorts extends IndexPorts {
  readonly audit: { readonly origin: string; certificate(): Promise<Buffer | undefined> };
}

/** Leaves behind the index that go into a file as they are; above this a new epoch is closed first. */
const TAIL_ENOUGH = 1_024;
/** A busy log outruns every epoch: one is closed at most this often, and the tail is longer then. */
const EPOCH_SECONDS = 60;
const LONGEST_TAIL = 65_536;
/** Events of one history. */
const MOST_EVENTS = 10_000;
const EVENTS_AT_ONCE = 1_000;
const RETRY_SECONDS = 2;

interface Moment {
  readonly checkpoint: StoredCheckpoint;
  readonly epoch: IndexEpoch | undefined;
}

/**
 * Everything the log holds under a key up to its newest checkpoint, with the proof that there is nothing else. Reading it
 * is recorded like any pull.
 * @throws KmcError E_FORBIDDEN unless the caller reads the log; E_NOT_FOUND when nothing was signed yet; E_PENDING with
 * Retry-After while the index is brought up; E_SIZE for a history of more than 10,000 events.
 */
export async function proveHistory(ports: HistoryPorts, input: HistoryInput, caller: Caller): Promise<HistoryFile> {
  requireAuditReader(caller);
  await bringUpIndex(ports);
  const certificate = await ports.audit.certificate();
  const file = await ports.database.snapshot(async (reader) => {
    const moment = await momentOf(reader);
    if (certificate === undefined || moment === undefined) {
      throw new KmcError('E_NOT_FOUND', 'The log has no signed checkpoint yet. Ask again in a few seconds.');
    }
    return await historyAt(reader, input, moment, encodePem('CERTIFICATE', certificate));
  });
  const size = file.tail.from + file.tail.events.length;
  const read = { first: 0, next: size, events: file.events.length + file.tail.events.length, size };
  await recordPull({ ...ports, origin: ports.audit.origin }, caller, input.source, read);
  return file;
}

/** Closes an epoch when the last one is far behind. */
async function bringUpIndex(ports: HistoryPorts): Promise<void> {
  const { size, epoch } = await ports.database.read(async ({ audit, auditIndex }) => ({
    size: (await audit.newestCheckpoint())?.size ?? 0,
    epoch: await auditIndex.newestEpoch(),
  }));
  const tail = size - (epoch?.size ?? 0);
  const age = epoch === undefined ? Infinity : (ports.clock.now().getTime() - epoch.closedAt.getTime()) / 1000;
  if (tail > TAIL_ENOUGH && age >= EPOCH_SECONDS) await closeIndexEpoch(ports, { type: 'system', id: 'audit-index' });
}

async function momentOf({ audit, auditIndex }: Reader): Promise<Moment | undefined> {
  const checkpoint = await audit.newestCheckpoint();
  const epoch = await auditIndex.newestEpoch();
  if (checkpoint === undefined || epoch === undefined) {
    return checkpoint === undefined ? undefined : { checkpoint, epoch };
  }
  const event = await audit.find(epoch.auditEvent);
  if (event?.index === undefined || event.index >= checkpoint.size) throw pending();
  return { checkpoint, epoch };
}

async function historyAt(
  reader: Reader,
  { key, from, to }: HistoryInput,
  { checkpoint, epoch }: Moment,
  certificate: string,
): Promise<HistoryFile> {
  const { size, note } = checkpoint;
  const start = epoch?.size ?? 0;
  if (size - start > LONGEST_TAIL) throw pending();
  const nodes = nodesFromTiles(sm3, size, storedTiles(reader.audit));
  const period = {
    ...(from === undefined ? {} : { from: from.toISOString() }),
    ...(to === undefined ? {} : { to: to.toISOString() }),
  };
  return {
    kind: HISTORY_KIND,
    key,
    ...(from === undefined && to === undefined ? {} : { period }),
    checkpoint: note,
    certificate,
    ...(epoch === undefined ? {} : { index: { size: start, entries: await indexEntries(reader, key, epoch) } }),
    events: await provenEvents(await entriesUnder(reader, key), size, nodes),
    tail: {
      from: start,
      edge: base64(await compactNodes(start, nodes)),
      events: (await tailOf(reader.audit, start, size)).map(({ canon }) => canon.toString('utf8')),
    },
  };
}

async function entriesUnder({ auditIndex }: Reader, key: string): Promise<AuditEntry[]> {
  const found = await auditIndex.entriesOf(key, 0, MOST_EVENTS + 1);
  if (found.length <= MOST_EVENTS) return found;
  throw new KmcError('E_SIZE', `There are more than ${MOST_EVENTS} events: pull the whole log and verify that.`);
}

async function provenEvents(
  entries: readonly AuditEntry[],
  size: number,
  nodes: NodeReader,
): Promise<HistoryFile['events']> {
  const proven: HistoryFile['events'][number][] = [];
  for (const { index, canon } of entries) {
    proven.push({ index, canon: canon.toString('utf8'), proof: base64(await inclusionProof(sm3, index, size, nodes)) });
  }
  return proven;
}

/** The entry of the key; where there is none, those between which it would stand. */
async function indexEntries({ auditIndex }: Reader, key: string, epoch: IndexEpoch): Promise<HistoryIndexEntry[]> {
  const [own] = await auditIndex.findKeys([key]);
  const rank = await auditIndex.rank(key);
  const nodes = nodesFromTiles(sm3, epoch.entries, async (level, index, width) => {
    const tile = await auditIndex.tile(level, index);
    if (tile === undefined || tile.length < width * 32) {
      throw new KmcError('E_INTEGRITY', 'The index of the audit log has a hole. Check the database.');
    }
    return tile;
  });
  const entries: HistoryIndexEntry[] = [];
  const add = async (stored: Parameters<typeof entryOctetsOf>[0] | undefined, position: number): Promise<void> => {
    if (stored === undefined) return;
    const proof = base64(await inclusionProof(sm3, position, epoch.entries, nodes));
    entries.push({ position, entry: entryOctetsOf(stored).toString('utf8'), proof });
  };
  if (own === undefined) {
    await add(await auditIndex.keyBefore(key), rank - 1);
    await add((await auditIndex.keysAfter(key, 1))[0], rank);
  } else {
    await add(own, rank);
  }
  return entries;
}

async function tailOf(audit: AuditReader, from: number, to: number): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = [];
  for (let start = from; start < to; start += EVENTS_AT_ONCE) {
    entries.push(...(await audit.entries(start, Math.min(EVENTS_AT_ONCE, to - start))));
  }
  return entries;
}

function base64(hashes: readonly Buffer[]): string[] {
  return hashes.map((hash) => hash.toString('base64'));
}

function pending(): KmcError {
  return new KmcError('E_PENDING', 'The index of the log is being brought up. Ask again.', {
    retryAfter: RETRY_SECONDS,
  });
}
