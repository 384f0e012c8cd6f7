/**
 * What stands inside the sealed parts of a backup: records of four octets of length and strict JSON. A binary value is
 * `{"b": <base64>}`; all others stand as they are. The same records fill either database.
 */
import { parseStrictJson, type JsonValue } from '../../crypto/jcs.ts';
import { KmcError } from '../../errors.ts';
import { brokenBackup } from './backup-frames.ts';

export type StoredValue = string | number | Buffer | null;

export type BackupRecord =
  /** The first one: `sm3:<hex>` of the header in clear. */
  | { readonly kind: 'head'; readonly header: string }
  /** The newest signed note of the audit log, as its signer remembers it. */
  | { readonly kind: 'checkpoint'; readonly note: string }
  | { readonly kind: 'table'; readonly name: string; readonly columns: readonly string[] }
  | { readonly kind: 'row'; readonly values: readonly StoredValue[] }
  /** The last one: how many tables and rows there were. */
  | { readonly kind: 'end'; readonly tables: number; readonly rows: number };

/** A CRL of a million entries fits. */
export const MOST_RECORD_OCTETS = 67_108_864;
const NAME = /^[a-z][a-z0-9_]{0,62}$/;
const COUNT = (value: JsonValue | undefined): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

function jsonOf(record: BackupRecord): JsonValue {
  if (record.kind === 'head') return { head: record.header };
  if (record.kind === 'checkpoint') return { checkpoint: record.note };
  if (record.kind === 'table') return { table: record.name, columns: [...record.columns] };
  if (record.kind === 'end') return { end: { tables: record.tables, rows: record.rows } };
  return record.values.map((value) => (Buffer.isBuffer(value) ? { b: value.toString('base64') } : value));
}

/** The octets of a record, with their length before them. @throws KmcError E_SIZE. */
export function encodeBackupRecord(record: BackupRecord): Buffer {
  const json = Buffer.from(JSON.stringify(jsonOf(record)), 'utf8');
  if (json.length > MOST_RECORD_OCTETS) throw new KmcError('E_SIZE', 'A row is larger than a backup can hold.');
  const octets = Buffer.alloc(4 + json.length);
  octets.writeUInt32BE(json.length);
  json.copy(octets, 4);
  return octets;
}

/** Reads the octets behind a length. @throws KmcError E_INTEGRITY for anything else than a record. */
export function decodeBackupRecord(json: Buffer): BackupRecord {
  try {
    return recordOf(parseStrictJson(json, { maxBytes: MOST_RECORD_OCTETS, maxDepth: 3 }));
  } catch (error) {
    throw error instanceof KmcError ? brokenBackup(error) : error;
  }
}

function recordOf(value: JsonValue): BackupRecord {
  if (Array.isArray(value)) return { kind: 'row', values: value.map((one: JsonValue) => valueOf(one)) };
  const { head, checkpoint, table, columns, end, ...others } = membersOf(value);
  const given = [head, checkpoint, table, end].filter((member) => member !== undefined).length;
  if (given !== 1 || Object.keys(others).length > 0 || (columns !== undefined) !== (table !== undefined)) {
    throw brokenBackup();
  }
  if (typeof head === 'string') return { kind: 'head', header: head };
  if (typeof checkpoint === 'string') return { kind: 'checkpoint', note: checkpoint };
  if (typeof table === 'string') return tableOf(table, columns);
  const { tables, rows, ...more } = membersOf(end);
  if (COUNT(tables) && COUNT(rows) && Object.keys(more).length === 0) return { kind: 'end', tables, rows };
  throw brokenBackup();
}

function tableOf(name: string, columns: JsonValue | undefined): BackupRecord {
  const names = Array.isArray(columns)
    ? columns.filter((one: JsonValue): one is string => typeof one === 'string')
    : [];
  const known = Array.isArray(columns) && names.length === columns.length && new Set(names).size === names.length;
  if (!known || names.length === 0 || ![name, ...names].every((one) => NAME.test(one))) throw brokenBackup();
  return { kind: 'table', name, columns: names };
}

function membersOf(value: JsonValue | undefined): Readonly<Record<string, JsonValue>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw brokenBackup();
  return value as Readonly<Record<string, JsonValue>>;
}

function valueOf(value: JsonValue): StoredValue {
  if (value === null || typeof value === 'string') return value;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  const { b, ...others } = membersOf(value);
  const bytes = typeof b === 'string' ? Buffer.from(b, 'base64') : undefined;
  if (bytes?.toString('base64') === b && bytes !== undefined && Object.keys(others).length === 0) return bytes;
  throw brokenBackup();
}
