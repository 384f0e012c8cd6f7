/** The signed notes of an export: which hold, which contradict each other, which one the content must match. */
import { spkiSm3 } from '../../crypto/spki.ts';
import { KmcError } from '../../errors.ts';
import { parseNote, verifyNote, type Checkpoint, type NoteKey, type SignedNote } from './checkpoint.ts';
import { AUDIT_EXIT, type FindingList } from './findings.ts';
import type { AuditPolicy } from './policy.ts';

/** A note with a valid signature of the log. */
export interface HeldNote {
  readonly checkpoint: Checkpoint;
  /** Seconds since 1970. */
  readonly time: number;
  readonly text: string;
  readonly note: SignedNote;
}

export interface NoteInput {
  readonly policy: AuditPolicy;
  /** subjectPublicKeyInfo of the log's certificate, DER. */
  readonly logSpki: Buffer;
  /** Validity of that certificate. */
  readonly validity: { readonly notBefore: Date; readonly notAfter: Date };
  /** The checkpoint that stands for the export. */
  readonly checkpoint: string;
  /** Other notes of the same log that are at hand. */
  readonly otherNotes: readonly string[];
}

export interface HeldNotes {
  /** By size, then by time. */
  readonly notes: readonly HeldNote[];
  /** The largest and newest: the measure of the content. */
  readonly reference: HeldNote | undefined;
  readonly witnesses: readonly { readonly name: string; readonly time: number }[];
  /** Two notes that contradict each other: portable proof against the log. */
  readonly fork: readonly [string, string] | undefined;
}

/** Verifies every note and compares them with one another. Findings: 11, 12, 13, 15, 16, 17. */
export function holdNotes(input: NoteInput, findings: FindingList): HeldNotes {
  const { policy, logSpki, checkpoint } = input;
  if (spkiSm3(logSpki) !== policy.logKey) {
    findings.add(AUDIT_EXIT.signature, 'the certificate of the log is not of the key that the policy names');
  }
  const key: NoteKey = { name: policy.origin, signer: 'log', spki: logSpki };
  const main = hold(checkpoint, key, input, findings, 'the checkpoint');
  const others = input.otherNotes.map((text, at) => hold(text, key, input, findings, `note ${at + 1}`));
  const notes = [main, ...others].filter((note) => note !== undefined).sort(bySizeThenTime);
  const reference = notes.at(-1);
  if (main !== undefined && reference !== undefined && reference.checkpoint.size > main.checkpoint.size) {
    findings.add(
      AUDIT_EXIT.rollback,
      `the checkpoint has size ${main.checkpoint.size}, but a newer note of size ${reference.checkpoint.size} was signed`,
    );
  }
  return {
    notes,
    reference,
    witnesses: countWitnesses(main, policy, findings),
    fork: compareNeighbours(notes, findings),
  };
}

function hold(text: string, key: NoteKey, input: NoteInput, findings: FindingList, what: string): HeldNote | undefined {
  try {
    const note = parseNote(text);
    if (note.checkpoint.origin !== key.name) findings.add(AUDIT_EXIT.malformed, `${what} is of another log`);
    const signature = verifyNote(note, key);
    if (signature === undefined) {
      findings.add(AUDIT_EXIT.signature, `${what} has no signature by the log's key`);
      return undefined;
    }
    const { notBefore, notAfter } = input.validity;
    if (signature.time * 1000 < notBefore.getTime() || signature.time * 1000 > notAfter.getTime()) {
      findings.add(AUDIT_EXIT.signature, `${what} was signed outside the validity of the log's certificate`);
    }
    return { checkpoint: note.checkpoint, time: signature.time, text, note };
  } catch (error) {
    if (!(error instanceof KmcError)) throw error;
    const exit = error.code === 'E_SIGNATURE' ? AUDIT_EXIT.signature : AUDIT_EXIT.malformed;
    findings.add(exit, `${what}: ${error.message}`);
    return undefined;
  }
}

/** Notes of one size have one root, and a larger tree was never signed before a smaller one. */
function compareNeighbours(notes: readonly HeldNote[], findings: FindingList): HeldNotes['fork'] {
  let fork: HeldNotes['fork'];
  for (const [at, note] of notes.entries()) {
    const before = notes[at - 1];
    if (before === undefined) continue;
    if (before.checkpoint.size === note.checkpoint.size && !before.checkpoint.root.equals(note.checkpoint.root)) {
      findings.add(AUDIT_EXIT.fork, `two signed notes of size ${note.checkpoint.size} have different roots`);
      fork ??= [before.text, note.text];
    } else if (before.time > note.time) {
      findings.add(AUDIT_EXIT.time, `the note of size ${note.checkpoint.size} was signed before a smaller one`);
    }
  }
  return fork;
}

function countWitnesses(
  main: HeldNote | undefined,
  policy: AuditPolicy,
  findings: FindingList,
): HeldNotes['witnesses'] {
  const found: { name: string; time: number }[] = [];
  const keys = new Set<string>();
  for (const witness of main === undefined ? [] : policy.witnesses) {
    const signature = cosignature(main, witness, findings);
    if (signature === undefined) continue;
    found.push({ name: witness.name, time: signature.time });
    keys.add(spkiSm3(witness.spki));
  }
  if (keys.size < policy.quorum) {
    findings.add(
      AUDIT_EXIT.witnesses,
      `the checkpoint has ${keys.size} of ${policy.quorum} cosignatures that the policy asks for`,
    );
  }
  return found;
}

function cosignature(
  held: HeldNote | undefined,
  witness: NoteKey,
  findings: FindingList,
): { readonly time: number } | undefined {
  try {
    return held === undefined ? undefined : verifyNote(held.note, witness);
  } catch (error) {
    if (!(error instanceof KmcError)) throw error;
    findings.add(AUDIT_EXIT.signature, `the cosignature of ${witness.name} does not verify`);
    return undefined;
  }
}

function bySizeThenTime(a: HeldNote, b: HeldNote): number {
  return a.checkpoint.size - b.checkpoint.size || a.time - b.time;
}
