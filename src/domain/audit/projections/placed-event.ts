import type { AuditRecord } from '../record.ts';

/** An event at its place in the log. */
export interface PlacedEvent {
  readonly index: number;
  /** 32 octets. */
  readonly leaf: Buffer;
  /** The canonical bytes. */
  readonly canon: Buffer;
  readonly record: AuditRecord;
}
