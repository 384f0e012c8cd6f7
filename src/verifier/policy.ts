/** What an auditor trusts and tolerates: the policy file. */
import { logKeyOf } from './certificate.ts';
import { fromBase64 } from './octets.ts';
import type { NoteKey } from './note.ts';

export interface Policy {
  readonly origin: string;
  /** `sm3:<hex>` of the log's subjectPublicKeyInfo. */
  readonly logKey: string;
  /** Seconds by which clocks may differ, and within which an event has its place in the tree. */
  readonly clockSkew: number;
  readonly maxDelay: number;
  readonly witnesses: readonly NoteKey[];
  /** Cosignatures that a checkpoint needs, each by another key. */
  readonly quorum: number;
}

const MEMBERS = 'clockSkewSeconds,logKey,maxDelaySeconds,origin,quorum,version,witnesses';

/** Undefined unless the file has exactly the known members, with values that fit. */
export function parsePolicy(json: string): Policy | undefined {
  try {
    return policyOf(JSON.parse(json));
  } catch {
    return undefined;
  }
}

function policyOf(value: unknown): Policy | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const file = value as Readonly<Record<string, unknown>>;
  const counts = ['clockSkewSeconds', 'maxDelaySeconds', 'quorum'].map((name) => file[name]);
  const [clockSkew, maxDelay, quorum] = counts.map(Number);
  const { origin, logKey, witnesses } = file as { origin?: unknown; logKey?: unknown; witnesses?: unknown };
  const keys = Array.isArray(witnesses) ? witnesses.map(witnessOf) : [undefined];
  const fits =
    Object.keys(file).sort().join() === MEMBERS &&
    file['version'] === 1 &&
    counts.every((count) => Number.isSafeInteger(count) && Number(count) >= 0) &&
    typeof origin === 'string' &&
    typeof logKey === 'string' &&
    !keys.includes(undefined);
  if (!fits || clockSkew === undefined || maxDelay === undefined || quorum === undefined) return undefined;
  return { origin, logKey, clockSkew, maxDelay, quorum, witnesses: keys.filter((key) => key !== undefined) };
}

function witnessOf(value: unknown): NoteKey | undefined {
  if (typeof value !== 'object' || value === null || !('name' in value) || !('spki' in value)) return undefined;
  const { name, spki } = value;
  if (typeof name !== 'string' || typeof spki !== 'string' || !/^[^\s+]{1,128}$/.test(name)) return undefined;
  const key = logKeyOf(fromBase64(spki) ?? new Uint8Array());
  return key === undefined ? undefined : { name, signer: 'witness', point: key.point };
}
