/** What auditors, as witnesses, have said of checkpoints (audit-log 3.8). */
import type { StoredCheckpoint } from './audit.ts';

export interface CosignatureRow {
  /** Time of the checkpoint, seconds since 1970, as signed. */
  readonly checkpointTime: number;
  /** Name of the witness in the note. */
  readonly name: string;
  readonly personId: string;
  /** `sm3:<hex>` of the key: one key counts once, whatever its names. */
  readonly spkiSm3: string;
  /** The signature line of the note, without its line end. */
  readonly line: string;
  readonly receivedAt: Date;
  readonly auditEvent: string;
}

export interface CosignatureReader {
  /** The lines for a checkpoint, in the order in which they came. */
  of(checkpointTime: number): Promise<CosignatureRow[]>;
  /** The newest checkpoint that so many keys have cosigned. */
  newest(keys: number): Promise<StoredCheckpoint | undefined>;
}

export interface CosignatureWriter extends CosignatureReader {
  /** False when the witness has cosigned that checkpoint before. */
  insert(row: CosignatureRow): Promise<boolean>;
}
