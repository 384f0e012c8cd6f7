/** What the sequencer and the signer do to the log; flows never see it. */
import { KmcError } from '../errors.ts';
import type { AuditLog, AuditTile, PendingEvent, SequencingBatch, StoredCheckpoint } from '../flows/ports/audit.ts';
import { leafHashes, rootsOfTiles, treeSize } from './audit-reader.ts';
import type { Engine } from './engine.ts';
import type { Sql, SqlRecord } from './sql.ts';
import { blob, integer, text } from './table.ts';

/** Key of the advisory lock; any constant that nothing else in the database uses. */
const LEADERSHIP = 0x4b4d4341;

/** Where the engines differ: how a list comes in as one value, and how one sequencer keeps others out. */
interface Words {
  /** A JSON array of strings as rows with a column `value`. */
  readonly list: string;
  /** A JSON array of [event id, leaf in hex] as rows with the columns of audit_leaf; the first value is the first index. */
  readonly leaves: string;
  /** Leadership is for progress only: safety comes from the unique keys. SQLite has one writer anyway. */
  readonly lead: string | undefined;
}

const WORDS: Readonly<Record<Engine['name'], Words>> = {
  sqlite: {
    list: 'select value from json_each(?)',
    leaves: `select ? + key, json_extract(value, '$[0]'), unhex(json_extract(value, '$[1]')) from json_each(?)`,
    lead: undefined,
  },
  postgresql: {
    list: 'select value from jsonb_array_elements_text(?::jsonb) as value',
    leaves: `select ?::bigint + ordinality - 1, value->>0, decode(value->>1, 'hex')
             from jsonb_array_elements(?::jsonb) with ordinality as item (value, ordinality)`,
    lead: 'select case when pg_try_advisory_xact_lock(?) then 1 else 0 end as leads',
  },
};

/** The log behind the flows. */
export class StoredAuditLog implements AuditLog {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  sequence<T>(work: (batch: SequencingBatch) => Promise<T>): Promise<T | undefined> {
    const words = WORDS[this.#engine.name];
    return this.#engine.transaction(async (sql) => {
      if (words.lead !== undefined) {
        const [record] = await sql.all(words.lead, LEADERSHIP);
        if (record?.['leads'] !== 1) return undefined;
      }
      return await work(new StoredBatch(sql, words));
    });
  }

  async publish(checkpoint: StoredCheckpoint): Promise<void> {
    await this.#engine.transaction(async (sql) => {
      const { size, time, note } = checkpoint;
      const statement = 'insert into audit_checkpoint (time, size, note) values (?, ?, ?) on conflict do nothing';
      if ((await sql.run(statement, time, size, note)) === 1) return;
      const [stored] = await sql.all('select note from audit_checkpoint where time = ?', time);
      if (stored?.['note'] === note) return;
      throw new KmcError(
        'E_AUDIT',
        'Another checkpoint of the same second is published: two signers are at work. Seal.',
        {
          fatal: true,
        },
      );
    });
  }
}

class StoredBatch implements SequencingBatch {
  readonly #sql: Sql;
  readonly #words: Words;

  constructor(sql: Sql, words: Words) {
    this.#sql = sql;
    this.#words = words;
  }

  size(): Promise<number> {
    return treeSize(this.#sql);
  }

  async pending(limit: number): Promise<PendingEvent[]> {
    const records = await this.#sql.all(
      `select event.id, event.canon, event.leaf, event.mac, event.mac_version
       from audit_pending waiting join audit_event event on event.id = waiting.event_id order by waiting.ord limit ?`,
      limit,
    );
    return records.map(pendingEvent);
  }

  async settle(eventIds: readonly string[]): Promise<void> {
    if (eventIds.length === 0) return;
    const statement = `delete from audit_pending where event_id in (${this.#words.list})`;
    const settled = await this.#sql.run(statement, JSON.stringify(eventIds));
    if (settled !== eventIds.length) {
      throw new KmcError('E_AUDIT', 'Waiting audit events disappeared while they were sequenced.', { fatal: true });
    }
  }

  async quarantine(eventId: string, reason: string, at: Date): Promise<void> {
    await this.#sql.run(
      'insert into audit_quarantine (event_id, reason, at) values (?, ?, ?)',
      eventId,
      reason,
      at.toISOString(),
    );
  }

  async appendLeaves(first: number, leaves: Parameters<SequencingBatch['appendLeaves']>[1]): Promise<void> {
    if (leaves.length === 0) return;
    const list = JSON.stringify(leaves.map(({ eventId, leaf }) => [eventId, leaf.toString('hex')]));
    await this.#sql.run(`insert into audit_leaf (idx, event_id, leaf) ${this.#words.leaves}`, first, list);
  }

  leaves(from: number, limit: number): Promise<Buffer[]> {
    return leafHashes(this.#sql, from, limit);
  }

  tileRoots(level: number, from: number, limit: number): Promise<Buffer[]> {
    return rootsOfTiles(this.#sql, level, from, limit);
  }

  async addTile({ level, index, hashes, root }: AuditTile): Promise<void> {
    await this.#sql.run(
      'insert into audit_tile (level, idx, hashes, root) values (?, ?, ?, ?)',
      level,
      index,
      hashes,
      root,
    );
  }
}

function pendingEvent(record: SqlRecord): PendingEvent {
  const mac = record['mac'];
  return {
    eventId: text.decode(record['id']),
    canon: blob.decode(record['canon']),
    leaf: blob.decode(record['leaf']),
    mac: mac === null ? undefined : { mac: blob.decode(mac), version: integer.decode(record['mac_version']) },
  };
}
