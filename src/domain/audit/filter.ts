/** What a reader of the log asks for. A filtered pull is a convenience and no evidence: see the history file for that. */
import { auditText } from './detail.ts';
import { subjectKey, type AuditOutcome, type AuditRecord } from './record.ts';

export interface AuditFilter {
  /** Events of this time or later. */
  readonly since?: Date;
  /** Events before this time. */
  readonly until?: Date;
  /** Id of who did it. */
  readonly actor?: string;
  /** An action, or the beginning of one up to a dot: `key.destroy`, `key.`. */
  readonly action?: string;
  /** `<type>:<id>` */
  readonly subject?: string;
  /** Region code in the event's own fields. */
  readonly region?: string;
  readonly outcome?: AuditOutcome;
}

/** True for an event that is asked for. */
export function matchesFilter({ act, actor, det, out, subj, ts }: AuditRecord, filter: AuditFilter): boolean {
  const { since, until, action, region, outcome, subject } = filter;
  return (
    (since === undefined || Date.parse(ts) >= since.getTime()) &&
    (until === undefined || Date.parse(ts) < until.getTime()) &&
    (filter.actor === undefined || filter.actor === actor.id) &&
    (action === undefined || action === act || (action.endsWith('.') && act.startsWith(action))) &&
    (subject === undefined || subj.some((link) => subjectKey(link).replace(' ', ':') === subject)) &&
    (region === undefined || region === det['region']) &&
    (outcome === undefined || outcome === out)
  );
}

/** The filter as it stands in the event of the pull; undefined when nothing is filtered. */
export function filterText(filter: AuditFilter): string | undefined {
  const parts = Object.entries(filter).map(
    ([name, value]: [string, unknown]) => `${name}=${value instanceof Date ? value.toISOString() : String(value)}`,
  );
  return parts.length === 0 ? undefined : auditText(parts.sort().join(' '));
}
