import { parseNote, verifyNote, type Checkpoint, type NoteKey } from '../../../domain/audit/checkpoint.ts';
import { KmcError } from '../../../errors.ts';
import type { VerifiedCheckpoint } from '../../ports/audit.ts';

interface Seen {
  readonly note: string;
  readonly checkpoint: Checkpoint;
  /** Seconds since 1970, as signed. */
  readonly time: number;
}

/** At one a second, more than any flow takes between looking at the clock and writing its event. */
const REMEMBERED = 128;

/** The newest checkpoints that this process has verified, kept in memory for the `cp` field of new events. */
export class CheckpointSight implements VerifiedCheckpoint {
  readonly #key: NoteKey;
  /** Oldest first. */
  readonly #seen: Seen[] = [];

  /** `key` is the log's own. */
  constructor(key: NoteKey) {
    this.#key = key;
  }

  newest(at: Date): Checkpoint | undefined {
    return this.#seen.findLast(({ time }) => time * 1000 <= at.getTime())?.checkpoint;
  }

  /**
   * Takes note of a published checkpoint.
   * @throws KmcError E_SCHEMA, E_SIGNATURE, E_AUDIT (fatal) when it was not signed by the log or is of another one.
   */
  accept(note: string): Checkpoint {
    const last = this.#seen.at(-1);
    if (last?.note === note) return last.checkpoint;
    const signed = parseNote(note);
    const signature = verifyNote(signed, this.#key);
    if (signed.checkpoint.origin !== this.#key.name || signature === undefined) {
      throw new KmcError(
        'E_AUDIT',
        'A published checkpoint was not signed by this log. Seal, and compare with the auditor.',
        { fatal: true },
      );
    }
    if (last === undefined || signature.time > last.time) {
      this.#seen.push({ note, checkpoint: signed.checkpoint, time: signature.time });
      if (this.#seen.length > REMEMBERED) this.#seen.shift();
    }
    return signed.checkpoint;
  }
}
