/** The certificate inventory of a legacy CA (enrolment-and-root-upgrade A.7): one JSON line for each certificate it issued. */
import { parseStrictJson, type JsonObject } from '../crypto/jcs.ts';
import { parseSpki } from '../crypto/spki.ts';
import { KmcError } from '../errors.ts';
import type { ReadRevokedCertificate } from '../x509/crl.ts';
import { CRL_REASONS, type CrlReason } from '../x509/extensions/crl.ts';
import { parseName } from '../x509/name.ts';
import { isConformingSerialNumber } from '../x509/serial-number.ts';
import { readSignedTime } from './signed-body.ts';

export interface InventoryLine {
  /** Lower-case hex, no sign octet. */
  readonly serialNumber: string;
  /** Name, DER. */
  readonly subject: Buffer;
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly revoked?: { readonly at: Date; readonly reason: Exclude<CrlReason, 'removeFromCRL'> };
}

const MAX_LINE_OCTETS = 16_384;
const MEMBERS = new Set(['serial', 'subject', 'spki', 'notBefore', 'notAfter', 'status', 'revokedAt', 'reason']);

function fault(line: number, what: string): KmcError {
  return new KmcError('E_SCHEMA', `Line ${line} of the inventory: ${what}.`);
}

function textOf(object: JsonObject, name: string, line: number): string {
  const value = object[name];
  if (typeof value !== 'string' || value === '') throw fault(line, `${name} is missing`);
  return value;
}

function bytesOf(object: JsonObject, name: string, line: number): Buffer {
  const text = textOf(object, name, line);
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw fault(line, `${name} must be base64`);
  return bytes;
}

function timeOf(object: JsonObject, name: string, line: number): Date {
  const at = readSignedTime(textOf(object, name, line));
  if (at === undefined) throw fault(line, `${name} must be a time like 2026-12-31T00:00:00Z`);
  return at;
}

function revocationOf(object: JsonObject, line: number): InventoryLine['revoked'] {
  const status = textOf(object, 'status', line);
  if (status === 'valid') {
    if (object['revokedAt'] === undefined && object['reason'] === undefined) return undefined;
    throw fault(line, 'a valid certificate has neither revokedAt nor reason');
  }
  if (status !== 'revoked') throw fault(line, 'status is valid or revoked');
  const named = object['reason'] ?? 'unspecified';
  const reason = CRL_REASONS.find((known) => known === named);
  if (reason === undefined || reason === 'removeFromCRL')
    throw fault(line, 'reason is not one that RFC 5280 gives to revoked certificates');
  return { at: timeOf(object, 'revokedAt', line), reason };
}

/** Reads a whole inventory. @throws KmcError as `parseInventoryLine`; E_SCHEMA when a serial number stands twice or there is no line. */
export function parseInventory(text: string): InventoryLine[] {
  const lines = text.split('\n').filter((line) => line !== '');
  if (lines.length === 0) throw new KmcError('E_SCHEMA', 'The inventory holds no line.');
  const parsed = lines.map((line, i) => parseInventoryLine(line, i + 1));
  const serials = new Set(parsed.map((line) => line.serialNumber));
  if (serials.size !== parsed.length) throw new KmcError('E_SCHEMA', 'A serial number stands twice in the inventory.');
  return parsed;
}

/**
 * Reads one line.
 * @param number of the line, for the reader of the error.
 * @throws KmcError E_JSON, E_SCHEMA; E_DER, E_KEY, E_POINT for its public key.
 */
export function parseInventoryLine(text: string, number: number): InventoryLine {
  const value = parseStrictJson(text, { maxBytes: MAX_LINE_OCTETS });
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault(number, 'it must be an object');
  const object = value as JsonObject;
  const unknown = Object.keys(object).find((name) => !MEMBERS.has(name));
  if (unknown !== undefined) throw fault(number, 'it holds a member that is not known');
  const serialNumber = textOf(object, 'serial', number);
  // A leading zero octet would let one serial number stand under two texts.
  if (!isConformingSerialNumber(serialNumber) || serialNumber.startsWith('00')) {
    throw fault(number, 'serial must be lower-case hex of 1 to 20 octets, without a sign octet');
  }
  const spki = bytesOf(object, 'spki', number);
  const subject = bytesOf(object, 'subject', number);
  parseSpki(spki);
  parseName(subject, 'E_SCHEMA');
  const revoked = revocationOf(object, number);
  return {
    serialNumber,
    subject,
    spki,
    notBefore: timeOf(object, 'notBefore', number),
    notAfter: timeOf(object, 'notAfter', number),
    ...(revoked === undefined ? {} : { revoked }),
  };
}

/**
 * Checks that every entry of the last CRL stands in the inventory as revoked, at the same time and for the same reason.
 * @throws KmcError E_CRL naming how many do not.
 */
export function requireInventoryCoversCrl(
  lines: readonly InventoryLine[],
  entries: readonly ReadRevokedCertificate[],
): void {
  const revoked = new Map(lines.map((line) => [line.serialNumber, line.revoked]));
  const missing = entries.filter(({ serialNumber, revocationDate, reason = 'unspecified' }) => {
    const line = revoked.get(serialNumber);
    return line?.at.getTime() !== revocationDate.getTime() || line.reason !== reason;
  });
  if (missing.length === 0) return;
  throw new KmcError(
    'E_CRL',
    `${missing.length} entries of the last CRL do not stand in the inventory as revoked at that time and for that reason: ` +
      'nothing was imported.',
  );
}
