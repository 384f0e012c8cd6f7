/** Events as RFC 5424 messages, one a line, for a SIEM; it sees a gap by the index. */
import type { AuditOutcome } from '../record.ts';
import type { PlacedEvent } from './placed-event.ts';

/** Facility "log audit". */
const FACILITY = 13;
const SEVERITY: Readonly<Record<AuditOutcome, number>> = { success: 6, failure: 4, denied: 4, unknown: 3 };
/** The enterprise number for examples (RFC 5612): an operator with one of its own replaces it on the way. */
const ELEMENT = 'kmcAudit@32473';
const BYTE_ORDER_MARK = '\ufeff';
const NAME_LIMIT = 32;

/** A parameter value (RFC 5424 6.3.3). */
function parameter(name: string, value: string | number): string {
  return ` ${name}="${String(value).replaceAll(/["\\\]]/g, '\\$&')}"`;
}

/** A header field: printable ASCII of that many characters at most. */
function field(text: string, limit: number): string {
  const printable = text.replaceAll(/[^\x21-\x7e]/g, '_').slice(0, limit);
  return printable === '' ? '-' : printable;
}

/** The message with its line end; its text is the event itself, in UTF-8. */
export function syslogLine({ index, leaf, canon, record }: PlacedEvent): string {
  const { act, actor, id, log, out, src, subj, ts } = record;
  const [first] = subj;
  const parameters = [
    parameter('log', log),
    parameter('idx', index),
    parameter('leaf', `sm3:${leaf.toString('hex')}`),
    parameter('id', id),
    parameter('act', act),
    parameter('out', out),
    parameter('actor', `${actor.t}:${actor.id}`),
    ...(first === undefined ? [] : [parameter('subj', `${first.t}:${first.tag}`), parameter('n', first.n)]),
  ].join('');
  const header = `<${FACILITY * 8 + SEVERITY[out]}>1 ${ts} ${field(src.node, 255)} kmc - ${field(act, NAME_LIMIT)}`;
  return `${header} [${ELEMENT}${parameters}] ${BYTE_ORDER_MARK}${canon.toString('utf8')}\n`;
}
