/**
 * `kmc audit witness`: the auditor's own machine looks at the newest checkpoint, and cosigns it with the auditor's own key
 * if it extends what that machine has seen. In one go over HTTP, or by files for a machine without a network.
 */
import { existsSync } from 'node:fs';
import { errorOfAnswer, type KmcClient } from '../agent/signed-client.ts';
import { SIGNATURE_ALGORITHMS } from '../crypto/algorithms.ts';
import { decodePem } from '../crypto/asn1/pem.ts';
import type { CryptoEngine } from '../crypto/engine.ts';
import { sm3 } from '../crypto/gm/sm3.ts';
import { parseStrictJson } from '../crypto/jcs.ts';
import { spkiSm3 } from '../crypto/spki.ts';
import {
  checkpointMessage,
  encodeNote,
  noteKeyId,
  parseNote,
  verifyNote,
  witnessName,
  type Checkpoint,
  type NoteSignature,
} from '../domain/audit/checkpoint.ts';
import { AUDIT_EXIT, type AuditExit } from '../domain/audit/findings.ts';
import { inOrder, list, object, text } from '../domain/audit/shape.ts';
import { verifyConsistency } from '../domain/audit/tree.ts';
import { KmcError } from '../errors.ts';
import { parseCertificate } from '../x509/certificate.ts';
import type { CommandContext, CommandInput, OptionSpec, Outcome, PersonalKey } from './command.ts';
import { readNamedFile, replaceNamedFile, writeNewFile } from './named-file.ts';

export const WITNESS_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  state: { type: 'string', value: 'FILE', help: 'what this witness has seen; made at the first run, which is trusted' },
  person: { type: 'string', value: 'ID', help: 'id of the auditor in the service: the witness is witness/ID' },
  fetch: {
    type: 'string',
    value: 'FILE',
    help: 'only writes what there is to cosign, for a machine without a network',
  },
  from: { type: 'string', value: 'SIZE', help: 'with --fetch: the size that machine has seen last (default 0)' },
  in: { type: 'string', value: 'FILE', help: 'cosigns what --fetch wrote, into --out' },
  out: { type: 'string', value: 'FILE', help: 'the cosignature' },
  submit: { type: 'string', value: 'FILE', help: 'only hands in a cosignature' },
};

const BASE = '/api/v1/audit';
const SIZE = /^(?:0|[1-9]\d{0,14})$/;
const HASH = text(/^[A-Za-z0-9+/]{43}=$/);

/** What a witness is asked: a checkpoint, and the proof that it extends the tree of `from` leaves. */
interface WitnessRequest {
  readonly certificate: string;
  readonly checkpoint: string;
  readonly from: string;
  readonly proof: readonly string[];
}

const REQUEST = object({
  certificate: { check: text(/^-----BEGIN CERTIFICATE-----/) },
  checkpoint: { check: text(/^.+$/s) },
  from: { check: text(SIZE) },
  proof: { check: list(0, 64, HASH) },
});

/** What this witness saw last. */
interface WitnessState {
  readonly logKey: string;
  readonly origin: string;
  readonly root: string;
  readonly size: string;
}

const STATE = object({
  logKey: { check: text(/^sm3:[0-9a-f]{64}$/) },
  origin: { check: text(/^.{1,200}$/) },
  root: { check: HASH },
  size: { check: text(SIZE) },
});

interface Cosignature {
  readonly line: string;
  readonly time: number;
}

/** A checkpoint that must not be cosigned: what it is evidence of. */
class Refused extends Error {
  readonly exit: AuditExit;

  constructor(exit: AuditExit, message: string) {
    super(message);
    this.exit = exit;
  }
}

function isRequest(value: unknown): value is WitnessRequest {
  return REQUEST(value) === undefined;
}

function isState(value: unknown): value is WitnessState {
  return STATE(value) === undefined;
}

function readJson<T>(file: string, what: string, fits: (value: unknown) => value is T): T {
  const value = inOrder(parseStrictJson(readNamedFile(file, what), { maxDepth: 3 }));
  if (fits(value)) return value;
  throw new KmcError('E_USAGE', `The ${what} does not have its form: ${file}`);
}

/** @throws KmcError as answered. */
async function fetchRequest(client: KmcClient, from: number): Promise<WitnessRequest> {
  const get = async (path: string): Promise<string> => {
    const answer = await client.send('GET', `${BASE}/${path}`);
    if (answer.status !== 200) throw errorOfAnswer(answer);
    return answer.body.toString('utf8');
  };
  const checkpoint = await get('checkpoint');
  const { size } = parseNote(checkpoint).checkpoint;
  const certificate = await get('certificate');
  if (from === 0 || from >= size) return { certificate, checkpoint, from: String(from), proof: [] };
  const { proof } = JSON.parse(await get(`proof/consistency?from=${from}&to=${size}`)) as { proof: string[] };
  return { certificate, checkpoint, from: String(from), proof };
}

/** The checkpoint of the request, if it extends what was seen. @throws Refused, with the exit code of what it is. */
function accept(
  request: WitnessRequest,
  seen: WitnessState | undefined,
): Checkpoint & { time: number; logKey: string } {
  const { spki } = parseCertificate(decodePem(request.certificate, 'CERTIFICATE'));
  const note = parseNote(request.checkpoint);
  const { origin, root, size } = note.checkpoint;
  const logKey = spkiSm3(spki);
  if (seen !== undefined && (seen.logKey !== logKey || seen.origin !== origin)) {
    throw new Refused(AUDIT_EXIT.signature, 'the log or its key is another one than this witness knows');
  }
  const signature = verifiedBy(note, origin, spki);
  if (signature === undefined) throw new Refused(AUDIT_EXIT.signature, 'the checkpoint is not signed by the log');
  const known = { size: Number(seen?.size ?? 0), root: Buffer.from(seen?.root ?? '', 'base64') };
  if (size < known.size) throw new Refused(AUDIT_EXIT.rollback, `this witness has seen ${known.size} events before`);
  if (known.size > 0 && size > known.size && request.from !== String(known.size)) {
    throw new Refused(AUDIT_EXIT.undecided, `the proof must begin at the size that was seen: --from ${known.size}`);
  }
  const proof = request.proof.map((hash) => Buffer.from(hash, 'base64'));
  const claim = {
    size1: known.size,
    size2: size,
    root1: known.root,
    root2: root,
    proof: size === known.size ? [] : proof,
  };
  if (known.size > 0 && !verifyConsistency(sm3, claim)) {
    throw new Refused(AUDIT_EXIT.fork, 'the log is not a continuation of what this witness has seen: keep both notes');
  }
  return { origin, size, root, time: signature.time, logKey };
}

function verifiedBy(note: ReturnType<typeof parseNote>, origin: string, spki: Buffer): NoteSignature | undefined {
  try {
    return verifyNote(note, { name: origin, signer: 'log', spki });
  } catch (error) {
    if (error instanceof KmcError && error.code === 'E_SIGNATURE') return undefined;
    throw error;
  }
}

/** Remembers the checkpoint, then signs it: never the other way round. */
async function cosign(
  engine: CryptoEngine,
  personal: PersonalKey,
  input: CommandInput,
  request: WitnessRequest,
): Promise<Cosignature & { readonly size: number; readonly firstRun: boolean }> {
  const stateFile = input.required('state');
  const name = witnessName(input.required('person'));
  const seen = existsSync(stateFile) ? readJson(stateFile, 'state file', isState) : undefined;
  const checkpoint = accept(request, seen);
  const state: WitnessState = {
    logKey: checkpoint.logKey,
    origin: checkpoint.origin,
    root: checkpoint.root.toString('base64'),
    size: String(checkpoint.size),
  };
  replaceNamedFile(stateFile, Buffer.from(`${JSON.stringify(state)}\n`));
  const time = Math.floor(Date.now() / 1000);
  const der = await engine.sign(personal.key, 'SM2-SM3', checkpointMessage('witness', time, checkpoint));
  const signature = SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(der);
  const keyId = noteKeyId({ name, signer: 'witness', spki: personal.key.spki });
  const [, , , , line = ''] = encodeNote({ checkpoint, signatures: [{ name, keyId, time, signature }] }).split('\n');
  return { line, time: checkpoint.time, size: checkpoint.size, firstRun: seen === undefined };
}

async function submit(client: KmcClient, { line, time }: Cosignature): Promise<Outcome> {
  const json = await client.json('POST', `${BASE}/cosignatures`, { line, time });
  return { json, text: 'the cosignature is handed in' };
}

function isCosignature(value: unknown): value is Cosignature {
  const fits = typeof value === 'object' && value !== null && 'line' in value && 'time' in value;
  return fits && typeof value.line === 'string' && typeof value.time === 'number';
}

/** Runs the step that the options name, or all of them. */
export async function runAuditWitness(input: CommandInput, context: CommandContext): Promise<Outcome> {
  try {
    return await runStep(input, context);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { exit, message } = error;
    return { exitCode: exit, json: { ok: false, exit, message }, text: `not cosigned (${exit}): ${message}` };
  }
}

async function runStep(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const [fetch, given, handIn] = [input.text('fetch'), input.text('in'), input.text('submit')];
  if (fetch !== undefined) {
    const request = await fetchRequest(await context.client(), Number(input.text('from') ?? 0));
    writeNewFile(fetch, `${JSON.stringify(request)}\n`);
    return { json: { file: fetch }, text: `what there is to cosign is in ${fetch}` };
  }
  if (handIn !== undefined) return await submit(await context.client(), readJson(handIn, 'cosignature', isCosignature));
  if (given !== undefined) {
    const request = readJson(given, 'request', isRequest);
    const { line, time, size } = await cosign(context.engine, await context.personalKey(), input, request);
    const out = input.required('out');
    writeNewFile(out, `${JSON.stringify({ line, time })}\n`);
    return { json: { file: out, size }, text: `cosigned: ${size} events; hand in ${out} with --submit` };
  }
  const client = await context.client();
  const stateFile = input.required('state');
  const from = existsSync(stateFile) ? Number(readJson(stateFile, 'state file', isState).size) : 0;
  const made = await cosign(context.engine, await context.personalKey(), input, await fetchRequest(client, from));
  await submit(client, made);
  const note = made.firstRun ? ' (first run: what was seen is trusted from now on)' : '';
  return { json: { size: made.size, time: made.time }, text: `cosigned: ${made.size} events${note}` };
}
