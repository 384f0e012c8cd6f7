import { SIGNATURE_ALGORITHMS } from '../../../crypto/algorithms.ts';
import type { CryptoEngine, KeyHandle } from '../../../crypto/engine.ts';
import { sm3 } from '../../../crypto/gm/sm3.ts';
import { checkpointMessage, encodeNote, noteKeyId, parseNote, verifyNote } from '../../../domain/audit/checkpoint.ts';
import type { Checkpoint, NoteKey } from '../../../domain/audit/checkpoint.ts';
import { nodesFromTiles } from '../../../domain/audit/tiles.ts';
import { CompactRange, rootFromNodes } from '../../../domain/audit/tree.ts';
import { KmcError } from '../../../errors.ts';
import { signChecked } from '../../certificates/sign-checked.ts';
import type { AuditLog, AuditReader, AuditSignerState, SignerState, StoredCheckpoint } from '../../ports/audit.ts';
import type { Clock, Database } from '../../ports/database.ts';
import { storedTiles } from '../tree/read-audit-tile.ts';

export interface SignCheckpointPorts {
  readonly database: Pick<Database, 'read'>;
  readonly auditLog: Pick<AuditLog, 'publish'>;
  readonly signerState: AuditSignerState;
  readonly engine: Pick<CryptoEngine, 'sign'>;
  readonly clock: Clock;
}

export interface LogSigner {
  readonly origin: string;
  /** SM2. */
  readonly key: KeyHandle;
}

/** `current`: nothing new to sign, or not yet; `checkpoint` is then the last one, if any. */
export interface SigningResult {
  readonly outcome: 'signed' | 'current';
  readonly checkpoint: StoredCheckpoint | undefined;
}

/** An idle log signs again after this time, so that a reader can tell a quiet log from a frozen one. */
const HEARTBEAT_SECONDS = 600;
/** A clock that went back further than this is wrong, not just uneven. */
const TOLERATED_STEP_BACK_SECONDS = 300;
/** Few enough that hashing them does not hold other work up. */
const LEAVES_AT_ONCE = 4_096;

/**
 * Signs the tree as it stands, if that extends what this signer signed before (audit-log 3.8): its own state is the
 * measure, and the database must agree with it. The state is durable before the note is let out; a note that a crash
 * kept back is published first. At most one signature a second.
 * @throws KmcError E_AUDIT, fatal, when the database is smaller, forked or altered against the state, the state is
 * missing or older than what was published, or another signer is at work: nothing is repaired by itself. E_TIME when
 * the clock went back. E_STORAGE.
 */
export async function signCheckpoint(ports: SignCheckpointPorts, signer: LogSigner): Promise<SigningResult> {
  const key: NoteKey = { name: signer.origin, signer: 'log', spki: signer.key.spki };
  const state = await ports.signerState.load();
  await publishLast(ports, key, state);
  return await ports.database.read(async ({ audit }) => {
    const size = await audit.size();
    await requireExtension(audit, size, state);
    const time = Math.floor(ports.clock.now().getTime() / 1000);
    if (!(await isDue(audit, size, time, state))) return { outcome: 'current', checkpoint: storedOf(state) };
    const range = await extendedRange(audit, size, state);
    const checkpoint = { origin: signer.origin, size, root: range.root() };
    if (!checkpoint.root.equals(await storedRoot(audit, size))) throw inconsistent('its tiles do not give the root');
    const note = await signedNote(ports.engine, signer, key, checkpoint, time);
    await ports.signerState.replace(state, { origin: signer.origin, size, nodes: range.nodes, time, note });
    await ports.auditLog.publish({ size, time, note });
    return { outcome: 'signed', checkpoint: { size, time, note } };
  });
}

/** Compares what is published with the state, and lets out a note that a crash kept back. */
async function publishLast(ports: SignCheckpointPorts, key: NoteKey, state: SignerState | undefined): Promise<void> {
  const published = await ports.database.read(({ audit }) => audit.newestCheckpoint());
  if (state === undefined) {
    if (published === undefined) return;
    throw inconsistent('checkpoints are published, but the state of the signer is missing');
  }
  const signed = parseNote(state.note);
  if (state.origin !== key.name || signed.checkpoint.size !== state.size || verifyNote(signed, key) === undefined) {
    throw inconsistent('the state of the signer belongs to another log or key');
  }
  if (published?.note === state.note) return;
  if (published !== undefined && published.time >= state.time) {
    throw inconsistent('a newer checkpoint is published than the signer remembers');
  }
  await ports.auditLog.publish({ size: state.size, time: state.time, note: state.note });
}

async function requireExtension(audit: AuditReader, size: number, state: SignerState | undefined): Promise<void> {
  if (state === undefined) return;
  if (size < state.size) throw inconsistent('the database holds fewer events than were signed');
  if (!(await storedRoot(audit, state.size)).equals(parseNote(state.note).checkpoint.root)) {
    throw inconsistent('the database no longer holds the events that were signed');
  }
}

async function isDue(audit: AuditReader, size: number, time: number, state: SignerState | undefined): Promise<boolean> {
  if (size === 0) return false;
  if (state === undefined) return true;
  if (state.time - time > TOLERATED_STEP_BACK_SECONDS) {
    throw new KmcError(
      'E_TIME',
      'The clock is behind the last checkpoint. Set it right; nothing is signed until then.',
    );
  }
  if (time <= state.time) return false;
  if (size > state.size) return true;
  // A heartbeat over waiting events would date them too early for their own times.
  return time - state.time >= HEARTBEAT_SECONDS && (await audit.pending()) === 0;
}

/** The signer's own range with the new leaves: never from hashes of inner nodes that the database offers. */
async function extendedRange(audit: AuditReader, size: number, state: SignerState | undefined): Promise<CompactRange> {
  const range = new CompactRange(sm3, state?.size, state?.nodes);
  while (range.size < size) {
    const leaves = await audit.leaves(range.size, Math.min(LEAVES_AT_ONCE, size - range.size));
    if (leaves.length === 0) throw inconsistent('leaves are missing');
    for (const leaf of leaves) range.append(leaf);
  }
  return range;
}

async function storedRoot(audit: AuditReader, size: number): Promise<Buffer> {
  return await rootFromNodes(sm3, size, nodesFromTiles(sm3, size, storedTiles(audit)));
}

/** Signs; a second implementation checks the signature before anything is kept. @throws KmcError E_INTEGRITY. */
async function signedNote(
  engine: Pick<CryptoEngine, 'sign'>,
  signer: LogSigner,
  key: NoteKey,
  checkpoint: Checkpoint,
  time: number,
): Promise<string> {
  const objectSigner = { engine, key: signer.key, algorithm: 'SM2-SM3' } as const;
  const der = await signChecked(objectSigner, checkpointMessage('log', time, checkpoint));
  const signature = SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(der);
  const note = { checkpoint, signatures: [{ name: signer.origin, keyId: noteKeyId(key), time, signature }] };
  return encodeNote(note);
}

function storedOf(state: SignerState | undefined): StoredCheckpoint | undefined {
  return state === undefined ? undefined : { size: state.size, time: state.time, note: state.note };
}

function inconsistent(what: string): KmcError {
  return new KmcError(
    'E_AUDIT',
    `The audit log was rolled back or altered: ${what}. Nothing is signed. Restore it from the auditor's copy.`,
    { fatal: true },
  );
}
