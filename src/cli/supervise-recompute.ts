/** Totals and reports made anew from the folder that `kmc audit pull` made, and held against what is stated. */
import { decodePem } from '../crypto/asn1/pem.ts';
import { parseStrictJson } from '../crypto/jcs.ts';
import { parseNote, verifyNote } from '../domain/audit/checkpoint.ts';
import { isObject } from '../domain/signed-body.ts';
import { verifyAttestation } from '../domain/supervision/attestation.ts';
import { isMeasure, type FigureCell } from '../domain/supervision/measures.ts';
import {
  checkpointOver,
  closingOf,
  Recomputation,
  type CopiedCheckpoint,
} from '../domain/supervision/recomputation.ts';
import { readReportFile, reportBytes } from '../domain/supervision/report.ts';
import { differencesOf } from '../domain/supervision/totals.ts';
import { KmcError } from '../errors.ts';
import { AUDIT_FILES } from '../flows/audit/pulls/export-audit.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { eventLines, readAuditFile, requireAuditFolder } from './audit-folder.ts';
import { readNamedFile } from './named-file.ts';

export interface Difference {
  /** Name of a total, or JSON pointer into a report. */
  readonly figure: string;
  readonly stated: unknown;
  readonly computed: unknown;
}

export interface RecomputeResult {
  readonly compared: string;
  readonly events: number;
  readonly seconds: number;
  readonly differences: readonly Difference[];
}

type Progress = (done: number, total: number) => void;

/** The checkpoints of a copy; one is believed once its signature verifies. */
class CopiedCheckpoints {
  readonly all: readonly CopiedCheckpoint[];
  readonly #spki: Buffer;

  constructor(directory: string) {
    const pem = readAuditFile(directory, AUDIT_FILES.certificate);
    const lines = readAuditFile(directory, AUDIT_FILES.checkpoints);
    if (pem === undefined || lines === undefined) {
      throw new KmcError('E_NOT_FOUND', 'The copy has no checkpoints or no certificate of the log: pull it again.');
    }
    this.#spki = parseCertificate(decodePem(pem, 'CERTIFICATE')).spki;
    this.all = lines.split('\n').flatMap((line) => (line === '' ? [] : [checkpointOf(line)]));
  }

  /** @throws KmcError E_SIGNATURE unless the log signed it, at the time that the copy states. */
  requireSigned(checkpoint: CopiedCheckpoint | undefined): void {
    if (checkpoint === undefined) return;
    const note = parseNote(checkpoint.note);
    const signed = verifyNote(note, { name: note.checkpoint.origin, signer: 'log', spki: this.#spki });
    if (signed?.time === checkpoint.time && note.checkpoint.size === checkpoint.size) return;
    throw new KmcError('E_SIGNATURE', `The checkpoint of size ${checkpoint.size} was not signed so by the log.`);
  }
}

function checkpointOf(line: string): CopiedCheckpoint {
  const value: unknown = parseStrictJson(line, { maxDepth: 1 });
  const { note, size, time } = isObject(value) ? value : {};
  if (typeof note === 'string' && typeof size === 'number' && typeof time === 'number') return { note, size, time };
  throw new KmcError('E_SCHEMA', 'A line of the checkpoints holds no signed note.');
}

async function run(directory: string, recomputation: Recomputation, events: number, progress: Progress): Promise<void> {
  let done = 0;
  for await (const lines of eventLines(directory)) {
    for (const line of lines) recomputation.add(line);
    done += lines.length;
    progress(Math.min(done, events), events);
    if (recomputation.isFull) return;
  }
}

/** Where two values differ, as JSON pointers. */
function differingMembers(stated: unknown, computed: unknown, pointer: string): Difference[] {
  if (typeof stated === 'object' && typeof computed === 'object' && stated !== null && computed !== null) {
    const [left, right] = [stated as Record<string, unknown>, computed as Record<string, unknown>];
    return [...new Set([...Object.keys(left), ...Object.keys(right)])].flatMap((name) =>
      differingMembers(left[name], right[name], `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`),
    );
  }
  return stated === computed ? [] : [{ figure: pointer, stated: stated ?? null, computed: computed ?? null }];
}

/**
 * Makes a report anew and compares it octet by octet.
 * @throws KmcError E_NOT_FOUND, E_JSON, E_SCHEMA for what cannot be read; E_SIGNATURE, E_STALE, E_CERT for its signature;
 * E_INTEGRITY when the events are not those of the checkpoint.
 */
export async function recomputeReport(
  directory: string,
  files: { readonly report: string; readonly signature?: string },
  progress: Progress,
): Promise<RecomputeResult> {
  const start = performance.now();
  const bytes = readNamedFile(files.report, 'report');
  if (files.signature !== undefined) {
    verifyAttestation(parseStrictJson(readNamedFile(files.signature, 'signature')), bytes);
  }
  const stated = readReportFile(bytes);
  requireAuditFolder(directory);
  const checkpoints = new CopiedCheckpoints(directory);
  const cut = closingOf(checkpoints.all, stated.month);
  // Where a month that is over was cut, the log says and not the report.
  const events = (stated.complete ? cut?.size : undefined) ?? stated.events;
  checkpoints.requireSigned(cut);
  checkpoints.requireSigned(checkpointOver(checkpoints.all, events));
  const recomputation = new Recomputation(events, checkpoints.all);
  await run(directory, recomputation, events, progress);
  const complete = cut?.size === events;
  const computed = recomputation.report(stated.month, complete);
  const differences = differingMembers(stated, JSON.parse(reportBytes(computed).toString('utf8')), '');
  if (differences.length === 0 && !reportBytes(computed).equals(bytes)) {
    differences.push({ figure: '', stated: 'other octets', computed: 'the form of a report' });
  }
  const seconds = (performance.now() - start) / 1000;
  return { compared: `the report of ${stated.month} was`, events, seconds, differences };
}

function cellOf(value: unknown): FigureCell {
  const { measure, value: number, ...rest } = isObject(value) ? value : {};
  const part = (name: string): string => {
    const text = rest[name];
    if (typeof text === 'string') return text;
    throw noTotals();
  };
  if (typeof measure !== 'string' || !isMeasure(measure) || typeof number !== 'number') throw noTotals();
  return {
    measure,
    day: part('day'),
    region: part('region'),
    registrar: part('registrar'),
    profile: part('profile'),
    algorithm: part('algorithm'),
    label: part('label'),
    value: number,
  };
}

function noTotals(): KmcError {
  return new KmcError('E_SCHEMA', 'The service answered with what are no totals.');
}

/** Makes every total of a service anew. `answer` is what the service stated. @throws KmcError as `recomputeReport`. */
export async function recomputeTotals(
  directory: string,
  answer: unknown,
  progress: Progress,
): Promise<RecomputeResult> {
  const start = performance.now();
  requireAuditFolder(directory);
  const { events, totals } = isObject(answer) ? answer : {};
  if (typeof events !== 'number' || !Array.isArray(totals)) {
    throw noTotals();
  }
  const checkpoints = new CopiedCheckpoints(directory);
  checkpoints.requireSigned(checkpointOver(checkpoints.all, events));
  const recomputation = new Recomputation(events, checkpoints.all);
  await run(directory, recomputation, events, progress);
  const differences = differencesOf(totals.map(cellOf), recomputation.totals());
  const seconds = (performance.now() - start) / 1000;
  return { compared: `${totals.length} totals were`, events, seconds, differences };
}
