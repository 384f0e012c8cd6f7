/**
 * The manifest of a keystore: its epoch, every file with size and digest, and the check values of its keys. Its own
 * digest finds damage while the keystore is sealed; the MAC, under the keystore's audit-mac key, finds forgery as soon
 * as it is open (security-and-faults 2.4).
 */
import { sm3 } from '../../crypto/gm/sm3.ts';
import type { JsonObject } from '../../crypto/jcs.ts';
import { KmcError } from '../../errors.ts';
import { ID } from '../id.ts';
import { KEYSTORE_KINDS, isKeystoreFileName, type KeystoreKind } from './keystore-kind.ts';
import { decodeRecord, encodeRecord, type RecordFields } from './record-fields.ts';

export interface FileEntry {
  /** Relative name, `/` between parts. */
  readonly path: string;
  readonly size: number;
  /** `sm3:<hex>` of the content. */
  readonly sm3: string;
}

/** A key check value (security-and-faults 2.3). */
export interface CheckValue {
  /** e.g. `master-3`, `root-keys-1` */
  readonly key: string;
  /** First 8 octets of HMAC-SM3(key, "KCV" || name), 16 hex digits. */
  readonly value: string;
}

export interface ManifestBody {
  readonly instance: string;
  readonly kind: KeystoreKind;
  readonly epoch: number;
  /** Id of the change that made this epoch. */
  readonly change: string;
  /** Sorted by path. */
  readonly files: readonly FileEntry[];
  /** Sorted by key. */
  readonly checkValues: readonly CheckValue[];
  /** Version of the audit-mac key of the MAC. */
  readonly macVersion: number;
}

export interface Manifest {
  readonly body: ManifestBody;
  /** HMAC-SM3 over `manifestMacInput`, 32 octets. */
  readonly mac: Buffer;
}

const WHAT = 'The manifest of the keystore';
const FORMAT = 'kmc-manifest-1';
const MAC_DOMAIN = Buffer.from('KMC-KEYSTORE-MANIFEST-V1\0', 'latin1');
const MAX_NUMBER = 2 ** 31;
const SM3 = /^sm3:[0-9a-f]{64}$/;
const CHECK_VALUE = /^[0-9a-f]{16}$/;

/** The octets that the MAC of a manifest covers: a domain prefix and the canonical body. */
export function manifestMacInput(body: ManifestBody): Buffer {
  return Buffer.concat([MAC_DOMAIN, encodeRecord(bodyRecord(body))]);
}

/** The manifest file. */
export function encodeManifest({ body, mac }: Manifest): Buffer {
  const record = bodyRecord(body);
  return encodeRecord({ body: record, digest: digestOf(record), mac: mac.toString('hex') });
}

/**
 * Reads a manifest file and checks its own digest; the MAC is checked once its key is open.
 * @throws KmcError E_INTEGRITY when it is damaged, lists files in another order, or lists what this kind cannot hold.
 */
export function decodeManifest(bytes: Buffer): Manifest {
  const manifest = decodeRecord(bytes, WHAT, (fields) => {
    const body = fields.record('body', readBody);
    const digest = fields.text('digest', SM3);
    if (digest !== digestOf(bodyRecord(body))) throw new KmcError('E_INTEGRITY', `${WHAT} is damaged. Restore it.`);
    return { body, mac: Buffer.from(fields.text('mac', /^[0-9a-f]{64}$/), 'hex') };
  });
  const { files, checkValues, kind } = manifest.body;
  const sorted = isSorted(files.map((file) => file.path)) && isSorted(checkValues.map((value) => value.key));
  if (!sorted || !files.every((file) => isKeystoreFileName(kind, file.path))) {
    throw new KmcError('E_INTEGRITY', `${WHAT} lists what this keystore cannot hold. Restore it from the backup.`);
  }
  return manifest;
}

/** `sm3:<hex>` of a manifest file as it stands on the medium. */
export function manifestDigest(bytes: Buffer): string {
  return `sm3:${sm3(bytes).toString('hex')}`;
}

/** The entry of a file with this content. */
export function fileEntry(path: string, content: Buffer): FileEntry {
  return { path, size: content.length, sm3: `sm3:${sm3(content).toString('hex')}` };
}

/** What differs between a manifest and the files that are there; every list is sorted and holds names. */
export interface FileDifferences {
  readonly missing: readonly string[];
  readonly altered: readonly string[];
  readonly unlisted: readonly string[];
}

/** Compares the files that are there with those that a manifest lists. */
export function compareFiles(listed: readonly FileEntry[], found: readonly FileEntry[]): FileDifferences {
  const foundByPath = new Map(found.map((file) => [file.path, file]));
  const listedPaths = new Set(listed.map((file) => file.path));
  const isAltered = (file: FileEntry): boolean => {
    const other = foundByPath.get(file.path);
    return other !== undefined && (other.size !== file.size || other.sm3 !== file.sm3);
  };
  return {
    missing: listed.filter((file) => !foundByPath.has(file.path)).map((file) => file.path),
    altered: listed.filter(isAltered).map((file) => file.path),
    unlisted: found.filter((file) => !listedPaths.has(file.path)).map((file) => file.path),
  };
}

function bodyRecord(body: ManifestBody): JsonObject {
  return {
    format: FORMAT,
    instance: body.instance,
    kind: body.kind,
    epoch: body.epoch,
    change: body.change,
    files: body.files.map(({ path, size, sm3: digest }) => ({ path, size, sm3: digest })),
    checkValues: body.checkValues.map(({ key, value }) => ({ key, value })),
    macVersion: body.macVersion,
  };
}

function readBody(fields: RecordFields): ManifestBody {
  fields.choice('format', [FORMAT]);
  return {
    instance: fields.text('instance', ID),
    kind: fields.choice('kind', KEYSTORE_KINDS),
    epoch: fields.integer('epoch', 1, MAX_NUMBER),
    change: fields.text('change', ID),
    files: fields.list('files', readFileEntry),
    checkValues: fields.list('checkValues', (value) => ({
      key: value.text('key', ID),
      value: value.text('value', CHECK_VALUE),
    })),
    macVersion: fields.integer('macVersion', 1, MAX_NUMBER),
  };
}

/** Reads one entry of a list of files. @throws KmcError E_INTEGRITY. */
export function readFileEntry(fields: RecordFields): FileEntry {
  return {
    path: fields.text('path', /^[A-Za-z0-9][A-Za-z0-9./-]{0,127}$/),
    size: fields.integer('size', 0, MAX_NUMBER),
    sm3: fields.text('sm3', SM3),
  };
}

function digestOf(record: JsonObject): string {
  return `sm3:${sm3(encodeRecord(record)).toString('hex')}`;
}

function isSorted(names: readonly string[]): boolean {
  return names.every((name, position) => position === 0 || (names[position - 1] ?? '') < name);
}
