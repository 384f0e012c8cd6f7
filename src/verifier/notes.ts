/** The signed notes at hand: which hold, which contradict each other, which one the content must agree with. */
import type { LogCertificate } from './certificate.ts';
import { EXIT, type Findings } from './findings.ts';
import { parseNote, signedAt, type Note, type NoteKey } from './note.ts';
import { equal, hex } from './octets.ts';
import type { Policy } from './policy.ts';

/** A note that the log signed. */
export interface HeldNote extends Note {
  /** Seconds since 1970. */
  readonly time: number;
}

export interface HeldNotes {
  /** By size, then by time. */
  readonly notes: readonly HeldNote[];
  /** The largest and newest: what the content is measured with. */
  readonly reference: HeldNote | undefined;
  readonly witnesses: readonly { readonly name: string; readonly time: number }[];
  /** Two notes that contradict each other: proof against the log, whoever shows it. */
  readonly fork: readonly [string, string] | undefined;
}

/** `first` stands for the whole copy; `others` are further notes of the same log. Finds 11, 12, 13, 15, 16 and 17. */
export function holdNotes(
  first: string,
  others: readonly string[],
  certificate: LogCertificate,
  policy: Policy,
  findings: Findings,
): HeldNotes {
  if (certificate.kid !== policy.logKey) {
    findings.add(EXIT.signature, 'the certificate is not of the key that the policy names');
  }
  const main = hold(first, 'the checkpoint', certificate, policy, findings);
  const rest = others.map((text, at) => hold(text, `note ${at + 1}`, certificate, policy, findings));
  const notes = [main, ...rest]
    .filter((note) => note !== undefined)
    .sort((one, two) => one.size - two.size || one.time - two.time);
  const reference = notes.at(-1);
  if (main !== undefined && reference !== undefined && reference.size > main.size) {
    findings.add(EXIT.rollback, `the checkpoint has size ${main.size}, but one of size ${reference.size} was signed`);
  }
  return { notes, reference, witnesses: witnessesOf(main, policy, findings), fork: firstFork(notes, findings) };
}

function hold(
  text: string,
  what: string,
  certificate: LogCertificate,
  { origin }: Policy,
  findings: Findings,
): HeldNote | undefined {
  const note = parseNote(text);
  if (note === undefined) {
    findings.add(EXIT.malformed, `${what} is not a well-formed signed note`);
    return undefined;
  }
  if (note.origin !== origin) findings.add(EXIT.malformed, `${what} is of another log`);
  const time = signedAt(note, { name: origin, signer: 'log', point: certificate.point });
  if (time === undefined || time === false) {
    findings.add(EXIT.signature, `${what} has no valid signature by the log's key`);
    return undefined;
  }
  if (time * 1000 < certificate.notBefore || time * 1000 > certificate.notAfter) {
    findings.add(EXIT.signature, `${what} was signed outside the validity of the log's certificate`);
  }
  return { ...note, time };
}

/** Notes of one size have one root, and no larger tree was signed before a smaller one. */
function firstFork(notes: readonly HeldNote[], findings: Findings): HeldNotes['fork'] {
  let fork: HeldNotes['fork'];
  for (const [at, note] of notes.entries()) {
    const before = notes[at - 1];
    if (before === undefined) continue;
    if (before.size === note.size && !equal(before.root, note.root)) {
      findings.add(EXIT.fork, `two signed notes of size ${note.size} have different roots`);
      fork ??= [before.text, note.text];
    } else if (before.time > note.time) {
      findings.add(EXIT.time, `the note of size ${note.size} was signed before a smaller one`);
    }
  }
  return fork;
}

function witnessesOf(main: Note | undefined, policy: Policy, findings: Findings): HeldNotes['witnesses'] {
  const found: { name: string; time: number }[] = [];
  const keys = new Set<string>();
  for (const witness of main === undefined ? [] : policy.witnesses) {
    const time = cosignedAt(main, witness, findings);
    if (time === undefined) continue;
    found.push({ name: witness.name, time });
    keys.add(hex(witness.point));
  }
  if (keys.size < policy.quorum) {
    findings.add(EXIT.witnesses, `the checkpoint has ${keys.size} of the ${policy.quorum} cosignatures it needs`);
  }
  return found;
}

function cosignedAt(note: Note | undefined, witness: NoteKey, findings: Findings): number | undefined {
  const time = note === undefined ? undefined : signedAt(note, witness);
  if (time !== false) return time;
  findings.add(EXIT.signature, `the cosignature of ${witness.name} does not verify`);
  return undefined;
}
