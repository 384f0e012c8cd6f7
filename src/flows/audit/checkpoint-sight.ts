import { parseNote, verifyNote, type Checkpoint, type NoteKey } from '../../domain/audit/checkpoint.ts';
import { KmcError } from '../../errors.ts';
import type { VerifiedCheckpoint } from '../ports/audit.ts';

/** The newest checkpoint that this process has verified, kept in memory for the `cp` field of new events. */
export class CheckpointSight implements VerifiedCheckpoint {
  readonly #key: NoteKey;
  #newest: Checkpoint | undefined;
  #accepted: { readonly note: string; readonly checkpoint: Checkpoint } | undefined;

  /** `key` is the log's own. */
  constructor(key: NoteKey) {
    this.#key = key;
  }

  newest(): Checkpoint | undefined {
    return this.#newest;
  }

  /**
   * Takes note of a published checkpoint, if it is newer.
   * @throws KmcError E_SCHEMA, E_SIGNATURE, E_AUDIT (fatal) when it was not signed by the log or is of another one.
   */
  accept(note: string): Checkpoint {
    if (this.#accepted?.note === note) return this.#accepted.checkpoint;
    const signed = parseNote(note);
    if (signed.checkpoint.origin !== this.#key.name || verifyNote(signed, this.#key) === undefined) {
      throw new KmcError(
        'E_AUDIT',
        'A published checkpoint was not signed by this log. Seal, and compare with the auditor.',
        {
          fatal: true,
        },
      );
    }
    if (this.#newest === undefined || signed.checkpoint.size > this.#newest.size) this.#newest = signed.checkpoint;
    this.#accepted = { note, checkpoint: signed.checkpoint };
    return signed.checkpoint;
  }
}
