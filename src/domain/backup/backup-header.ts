/**
 * What a backup says in clear: whose it is, what it shows, and the sealed key under which k custodians open the rest. The
 * first part in it states the digest of this header, so that nobody without that key can alter it unseen.
 */
import { sm3 } from '../../crypto/gm/sm3.ts';
import { KmcError } from '../../errors.ts';
import { ORIGIN } from '../audit/record.ts';
import { ID } from '../id.ts';
import { decodeRecord, encodeRecord } from '../keystore/record-fields.ts';
import { brokenBackup } from './backup-frames.ts';

export interface BackupHeader {
  /** `backup-` and the first 32 hex digits of the digest of the request that ordered it. */
  readonly id: string;
  readonly instance: string;
  readonly environment: 'development' | 'production';
  /** Name of the audit log. */
  readonly origin: string;
  /** The moment that it shows. */
  readonly takenAt: Date;
  /** After this time it is to be destroyed, and counts for nothing any more. */
  readonly expiresAt: Date;
  /** Epoch of the service keystore. */
  readonly epoch: number;
  /** The share set that opens it, and how many of its shares. */
  readonly set: string;
  readonly threshold: number;
  /** `sm3:<hex>` of the files of the keystore, the frame that follows. */
  readonly keystore: string;
  /** The migrations that made its tables, in their order. */
  readonly schema: readonly string[];
  /** The key-encryption keys whose blobs it holds, e.g. `escrow-store-1`. */
  readonly keks: readonly string[];
  /** The key-encryption key `backup` that the parts stand under, sealed under the master key. */
  readonly kek: {
    readonly version: number;
    readonly objectVersion: number;
    readonly blob: Buffer;
    /** 8 octets. */
    readonly keyCheckValue: Buffer;
  };
}

const FORMAT = 'kmc-backup-1';
const BACKUP_ID = /^backup-[0-9a-f]{32}$/;
const SM3 = /^sm3:[0-9a-f]{64}$/;
const MIGRATION = /^[0-9]{3}-[a-z0-9-]{1,60}$/;
const MOST = 2 ** 31;
const MAX_BLOB = 4096;

/** True for the id of a backup. */
export function isBackupId(text: string): boolean {
  return BACKUP_ID.test(text);
}

/** The id of the backup that a request orders. @param requestDigest `sm3:<hex>`. */
export function backupIdOf(requestDigest: string): string {
  return `backup-${requestDigest.slice('sm3:'.length, 'sm3:'.length + 32)}`;
}

/** The octets of a header. */
export function encodeBackupHeader({ takenAt, expiresAt, kek, schema, keks, ...texts }: BackupHeader): Buffer {
  return encodeRecord({
    format: FORMAT,
    ...texts,
    takenAt: takenAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    schema: [...schema],
    keks: [...keks],
    kek: {
      version: kek.version,
      objectVersion: kek.objectVersion,
      blob: kek.blob.toString('base64'),
      keyCheckValue: kek.keyCheckValue.toString('hex'),
    },
  });
}

/** Reads a header. @throws KmcError E_INTEGRITY for anything else than what `encodeBackupHeader` makes. */
export function decodeBackupHeader(bytes: Buffer): BackupHeader {
  try {
    return decodeRecord(bytes, 'The header of the backup', (fields) => {
      fields.choice('format', [FORMAT]);
      return {
        id: fields.text('id', BACKUP_ID),
        instance: fields.text('instance', ID),
        environment: fields.choice('environment', ['development', 'production']),
        origin: fields.text('origin', ORIGIN),
        takenAt: fields.time('takenAt'),
        expiresAt: fields.time('expiresAt'),
        epoch: fields.integer('epoch', 1, MOST),
        set: fields.text('set', /^[0-9a-f]{32}$/),
        threshold: fields.integer('threshold', 2, 255),
        keystore: fields.text('keystore', SM3),
        schema: fields.texts('schema', MIGRATION),
        keks: fields.texts('keks', ID),
        kek: fields.record('kek', (kek) => ({
          version: kek.integer('version', 1, MOST),
          objectVersion: kek.integer('objectVersion', 1, MOST),
          blob: kek.bytes('blob', MAX_BLOB),
          keyCheckValue: Buffer.from(kek.text('keyCheckValue', /^[0-9a-f]{16}$/), 'hex'),
        })),
      };
    });
  } catch (error) {
    throw error instanceof KmcError ? brokenBackup(error) : error;
  }
}

/** `sm3:<hex>` of octets of a backup. */
export function backupDigest(octets: Buffer): string {
  return `sm3:${sm3(octets).toString('hex')}`;
}
