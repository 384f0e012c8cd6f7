/**
 * The memory of the checkpoint signer: one small file for each state, numbered, of which the highest counts. A new state
 * is linked in under the next number, which only one of two signers can do; the one before is removed afterwards. So
 * replacing is compare-and-set, also between processes, and durable before a note is let out (audit-log 3.8).
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalizeSigned, parseStrictJson } from '../crypto/jcs.ts';
import { ORIGIN } from '../domain/audit/record.ts';
import { list, object, text } from '../domain/audit/shape.ts';
import { KmcError } from '../errors.ts';
import type { AuditSignerState, SignerState } from '../flows/ports/audit.ts';
import {
  createDurableFile,
  deleteStrayTemporaries,
  makePrivateDirectory,
  readPrivateFile,
  removeDurableFile,
} from './durable-file.ts';

const NAME = /^signer-(\d{15})\.json$/;
const MAX_OCTETS = 32_768;
const NUMBER = /^(?:0|[1-9]\d{0,15})$/;

interface StoredState {
  readonly nodes: readonly string[];
  readonly note: string;
  readonly origin: string;
  readonly size: string;
  readonly time: string;
}

const STORED_STATE = object({
  nodes: { check: list(0, 64, text(/^[0-9a-f]{64}$/)) },
  note: { check: text(/^.+$/s) },
  origin: { check: text(ORIGIN) },
  size: { check: text(NUMBER) },
  time: { check: text(NUMBER) },
  version: { check: text(/^1$/) },
});

interface Numbered {
  readonly number: number;
  readonly state: SignerState;
}

/**
 * The signer's memory in `folder`, which is made if it is not there, with mode 0700. It belongs on a medium that is not
 * restored together with the database.
 * @throws KmcError E_STORAGE, E_INTEGRITY.
 */
export function createAuditSignerState(folder: string): AuditSignerState {
  makePrivateDirectory(folder);
  deleteStrayTemporaries(folder);
  return {
    load: async () => newest(folder)?.state,
    replace: async (expected, next) => replace(folder, expected, next),
  };
}

function replace(folder: string, expected: SignerState | undefined, next: SignerState): void {
  const current = newest(folder);
  if (current?.state.note !== expected?.note) throw otherSigner();
  const number = (current?.number ?? 0) + 1;
  try {
    createDurableFile(pathOf(folder, number), encode(next));
  } catch (error) {
    throw error instanceof KmcError && error.code === 'E_EXISTS' ? otherSigner() : error;
  }
  // A slow signer may link a number that a faster one has used and removed already; the higher number tells.
  const numbers = numbersIn(folder);
  if (numbers.at(-1) !== number) {
    removeDurableFile(pathOf(folder, number));
    throw otherSigner();
  }
  for (const older of numbers.slice(0, -1)) removeDurableFile(pathOf(folder, older));
}

function newest(folder: string): Numbered | undefined {
  const number = numbersIn(folder).at(-1);
  if (number === undefined) return undefined;
  const bytes = readPrivateFile(pathOf(folder, number), 'the state of the checkpoint signer', MAX_OCTETS);
  if (bytes === undefined) throw otherSigner();
  return { number, state: decode(bytes) };
}

/** Ascending. */
function numbersIn(folder: string): number[] {
  const names = readFolder(folder).flatMap((name) => NAME.exec(name)?.[1] ?? []);
  return names.map(Number).sort((a, b) => a - b);
}

function readFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    throw new KmcError('E_STORAGE', 'The state of the checkpoint signer cannot be read; check its folder.', { cause });
  }
}

function pathOf(folder: string, number: number): string {
  return join(folder, `signer-${String(number).padStart(15, '0')}.json`);
}

function encode({ nodes, note, origin, size, time }: SignerState): Buffer {
  const json = canonicalizeSigned({
    nodes: nodes.map((node) => node.toString('hex')),
    note,
    origin,
    size: String(size),
    time: String(time),
    version: '1',
  });
  return Buffer.from(json, 'utf8');
}

function decode(bytes: Buffer): SignerState {
  const state = readStored(bytes);
  if (state === undefined) {
    throw new KmcError(
      'E_AUDIT',
      'The state of the checkpoint signer is damaged. Nothing is signed; restore it by hand.',
      { fatal: true },
    );
  }
  const { nodes, note, origin, size, time } = state;
  return { origin, size: Number(size), nodes: nodes.map((node) => Buffer.from(node, 'hex')), time: Number(time), note };
}

function readStored(bytes: Buffer): StoredState | undefined {
  try {
    const value: unknown = parseStrictJson(bytes, { maxBytes: MAX_OCTETS, maxDepth: 2 });
    return isStoredState(value) ? value : undefined;
  } catch (error) {
    if (error instanceof KmcError && error.code === 'E_JSON') return undefined;
    throw error;
  }
}

function isStoredState(value: unknown): value is StoredState {
  return STORED_STATE(value) === undefined;
}

function otherSigner(): KmcError {
  return new KmcError(
    'E_AUDIT',
    'Another checkpoint signer is at work on this log. Stop one of them; nothing is signed.',
    {
      fatal: true,
    },
  );
}
