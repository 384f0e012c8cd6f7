/**
 * The journal record of a change to keystore files (security-and-faults 2.4): written and synced before the first file
 * of the change, removed after its last step. It holds everything that the database step needs, so that a change that a
 * crash cut between files and database is completed at the next unseal. Its blobs are sealed; nothing in it is secret.
 */
import { KEK_PURPOSES, type KekPurpose } from '../../crypto/engine.ts';
import type { JsonObject } from '../../crypto/jcs.ts';
import type { AuditActor } from '../audit/event.ts';
import { ACTOR_TYPES } from '../audit/record.ts';
import { ID } from '../id.ts';
import { readFileEntry, type FileEntry } from './manifest.ts';
import { decodeRecord, encodeRecord, type RecordFields } from './record-fields.ts';

/** The audit event of the change, in all that is not said by the rest of the record. */
export interface ChangeEvent {
  readonly id: string;
  readonly action: 'keystore.create' | 'keystore.epoch';
  readonly at: Date;
  readonly actor: AuditActor;
  readonly node: string;
  readonly request?: string;
}

/** A row of a sealed key-encryption key: a new one, or one sealed anew under another master key. */
export interface KekStep {
  readonly purpose: KekPurpose;
  readonly version: number;
  /** Object version that it takes the place of; 0 for a new key. */
  readonly replaces: number;
  readonly blob: Buffer;
  /** 8 octets. */
  readonly keyCheckValue: Buffer;
  readonly createdAt: Date;
}

export interface DatabaseStep {
  readonly keks: readonly KekStep[];
  readonly event: ChangeEvent;
}

export interface JournalBody {
  readonly instance: string;
  /** Id of the change, as in the manifest it makes. */
  readonly change: string;
  readonly toEpoch: number;
  /** `sm3:<hex>` of the manifest file that it makes. */
  readonly manifest: string;
  readonly adds: readonly FileEntry[];
  readonly removes: readonly string[];
  readonly set: string;
  readonly threshold: number;
  readonly shares: number;
  readonly masterVersion: number;
  /** Version of the audit-mac key of the MAC. */
  readonly macVersion: number;
  /** Absent for the ceremony keystore. */
  readonly database?: DatabaseStep;
}

export interface JournalRecord {
  readonly body: JournalBody;
  /** HMAC-SM3 over `journalMacInput`, 32 octets. */
  readonly mac: Buffer;
}

const FORMAT = 'kmc-keystore-journal-1';
const MAC_DOMAIN = Buffer.from('KMC-KEYSTORE-JOURNAL-V1\0', 'latin1');
const MAX_NUMBER = 2 ** 31;
const MAX_SHARES = 255;
const MAX_BLOB = 4096;
// As the audit record takes them.
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:+/-]{0,63}$/;
const SM3 = /^sm3:[0-9a-f]{64}$/;
const PURPOSES = Object.keys(KEK_PURPOSES).filter((name): name is KekPurpose => name in KEK_PURPOSES);

/** The octets that the MAC of a record covers. */
export function journalMacInput(body: JournalBody): Buffer {
  return Buffer.concat([MAC_DOMAIN, encodeRecord(bodyRecord(body))]);
}

/** The bytes of a journal record. */
export function encodeJournalRecord({ body, mac }: JournalRecord): Buffer {
  return encodeRecord({ body: bodyRecord(body), mac: mac.toString('hex') });
}

/** Reads a journal record; its MAC is checked once the key is open. @throws KmcError E_INTEGRITY when it is damaged. */
export function decodeJournalRecord(bytes: Buffer): JournalRecord {
  return decodeRecord(bytes, 'The journal record of the keystore', (fields) => ({
    body: fields.record('body', readBody),
    mac: Buffer.from(fields.text('mac', /^[0-9a-f]{64}$/), 'hex'),
  }));
}

function bodyRecord(body: JournalBody): JsonObject {
  const { adds, database, removes, ...rest } = body;
  return {
    ...rest,
    format: FORMAT,
    adds: adds.map(({ path, size, sm3 }) => ({ path, size, sm3 })),
    removes: [...removes],
    ...(database === undefined ? {} : { database: databaseRecord(database) }),
  };
}

function databaseRecord({ keks, event }: DatabaseStep): JsonObject {
  return {
    keks: keks.map((step) => ({
      purpose: step.purpose,
      version: step.version,
      replaces: step.replaces,
      blob: step.blob.toString('base64'),
      keyCheckValue: step.keyCheckValue.toString('hex'),
      createdAt: step.createdAt.toISOString(),
    })),
    event: { ...event, at: event.at.toISOString(), actor: { ...event.actor } },
  };
}

function readBody(fields: RecordFields): JournalBody {
  fields.choice('format', [FORMAT]);
  const database = fields.optionalRecord('database', readDatabaseStep);
  return {
    instance: fields.text('instance', ID),
    change: fields.text('change', ID),
    toEpoch: fields.integer('toEpoch', 1, MAX_NUMBER),
    manifest: fields.text('manifest', SM3),
    adds: fields.list('adds', readFileEntry),
    removes: fields.texts('removes', /^[A-Za-z0-9][A-Za-z0-9./-]{0,127}$/),
    set: fields.text('set', /^[0-9a-f]{32}$/),
    threshold: fields.integer('threshold', 2, MAX_SHARES),
    shares: fields.integer('shares', 2, MAX_SHARES),
    masterVersion: fields.integer('masterVersion', 1, MAX_NUMBER),
    macVersion: fields.integer('macVersion', 1, MAX_NUMBER),
    ...(database === undefined ? {} : { database }),
  };
}

function readDatabaseStep(fields: RecordFields): DatabaseStep {
  return { keks: fields.list('keks', readKekStep), event: fields.record('event', readEvent) };
}

function readKekStep(fields: RecordFields): KekStep {
  return {
    purpose: fields.choice('purpose', PURPOSES),
    version: fields.integer('version', 1, MAX_NUMBER),
    replaces: fields.integer('replaces', 0, MAX_NUMBER),
    blob: fields.bytes('blob', MAX_BLOB),
    keyCheckValue: Buffer.from(fields.text('keyCheckValue', /^[0-9a-f]{16}$/), 'hex'),
    createdAt: fields.time('createdAt'),
  };
}

function readEvent(fields: RecordFields): ChangeEvent {
  const request = fields.optionalText('request', NAME);
  return {
    id: fields.text('id', ID),
    action: fields.choice('action', ['keystore.create', 'keystore.epoch']),
    at: fields.time('at'),
    actor: fields.record('actor', readActor),
    node: fields.text('node', NAME),
    ...(request === undefined ? {} : { request }),
  };
}

function readActor(fields: RecordFields): AuditActor {
  const role = fields.optionalText('role', NAME);
  const cert = fields.optionalText('cert', SM3);
  return {
    type: fields.choice('type', ACTOR_TYPES),
    id: fields.text('id', /^[!-~]{1,128}$/),
    ...(role === undefined ? {} : { role }),
    ...(cert === undefined ? {} : { cert }),
  };
}
