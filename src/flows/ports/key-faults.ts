/** Escrowed keys that did not open, or opened as another key: found by the scan or at their use, until they open again. */
import type { ErrorCode } from '../../errors.ts';

export interface KeyFaultRow {
  readonly keyId: string;
  readonly code: ErrorCode;
  readonly foundAt: Date;
  readonly auditEvent: string;
}

export interface KeyFaultReader {
  find(keyId: string): Promise<KeyFaultRow | undefined>;
  list(limit: number): Promise<KeyFaultRow[]>;
  count(): Promise<number>;
}

export interface KeyFaultWriter extends KeyFaultReader {
  /** False when the fault is known already. */
  insert(row: KeyFaultRow): Promise<boolean>;
  /** Forgets the fault of a key that opens again; false when there was none. */
  clear(keyId: string): Promise<boolean>;
}
