/** The forms in which events leave the log. Only JSON lines are evidence; the others are projections for other programs. */
import { csvHeader, csvRow } from './csv.ts';
import { ocsfLine } from './ocsf.ts';
import type { PlacedEvent } from './placed-event.ts';
import { syslogLine } from './syslog.ts';

export interface AuditFormat {
  readonly type: string;
  /** What stands before the first event. */
  readonly header: string;
  /** An event with its line end. */
  readonly line: (event: PlacedEvent) => string;
}

function jsonLine({ index, leaf, canon }: PlacedEvent): string {
  return `{"index":${index},"leaf":"${leaf.toString('base64url')}","canon":${JSON.stringify(canon.toString('utf8'))}}\n`;
}

export const AUDIT_FORMATS = {
  jsonl: { type: 'application/x-ndjson', header: '', line: jsonLine },
  csv: { type: 'text/csv; charset=utf-8; header=present', header: csvHeader(), line: csvRow },
  syslog: { type: 'text/plain; charset=utf-8', header: '', line: syslogLine },
  ocsf: { type: 'application/x-ndjson', header: '', line: ocsfLine },
} as const satisfies Readonly<Record<string, AuditFormat>>;

export type AuditFormatName = keyof typeof AUDIT_FORMATS;

export const AUDIT_FORMAT_NAMES = Object.keys(AUDIT_FORMATS) as readonly AuditFormatName[];
