/**
 * The report of a break-glass session: who broke the glass with which bags, every act in the chain of the session, and
 * what each changed. It proves itself by signatures and chain; that its events stand in the log is for an auditor's copy.
 */
import { canonicalizeSigned, parseStrictJson } from '../crypto/jcs.ts';
import { sm3 } from '../crypto/gm/sm3.ts';
import { KmcError } from '../errors.ts';
import { sm3Fingerprint } from '../x509/certificate.ts';
import { parseAuditRecord, type AuditRecord } from './audit/record.ts';
import { leafHash } from './audit/tree.ts';
import {
  BREAK_GLASS_SECONDS,
  isBreakGlassOperation,
  readOpeningStatement,
  verifyOpening,
  type OpeningStatement,
  type RegisteredSeal,
} from './break-glass.ts';
import { readSignedTime, requireMembers, signedTimeText, type MemberCheck } from './signed-body.ts';

export const REPORT_SCHEMA = 'kmc.break-glass-report/1';

export interface BreakGlassReport {
  readonly schema: typeof REPORT_SCHEMA;
  readonly session: string;
  readonly environment: string;
  readonly reason: string;
  readonly openedAt: string;
  readonly endedAt: string;
  readonly statements: readonly OpeningStatement[];
  /** Canonical text of every event in the chain of the session, from its opening to its end. */
  readonly events: readonly string[];
  /** Canonical text of the events that the acts caused, about people, certificates and issuance. */
  readonly effects: readonly string[];
}

const MAX_REPORT = 16 * 1024 * 1024;
const text: MemberCheck = (value) => (typeof value === 'string' && value.length <= 300 ? undefined : 'must be text');
const texts: MemberCheck = (value) =>
  Array.isArray(value) && value.every((item) => typeof item === 'string') ? undefined : 'must be a list of texts';
const CHECKS: Readonly<Record<keyof BreakGlassReport, MemberCheck>> = {
  schema: (value) => (value === REPORT_SCHEMA ? undefined : `must be ${REPORT_SCHEMA}`),
  session: text,
  environment: text,
  reason: text,
  openedAt: signedTimeText,
  endedAt: signedTimeText,
  statements: (value) => (Array.isArray(value) && value.length <= 3 ? undefined : 'must be a list of at most 3'),
  events: texts,
  effects: texts,
};

/** The text of a report: canonical JSON, so that one session gives the same octets every time. */
export function reportText(report: BreakGlassReport): string {
  return `${canonicalizeSigned(report)}\n`;
}

/** `sm3:<hex>` of the text of a report: what auditors review. */
export function reportDigest(reportAsText: string): string {
  return `sm3:${sm3(Buffer.from(reportAsText, 'utf8')).toString('hex')}`;
}

/** @throws KmcError E_JSON, E_SIZE, E_SCHEMA. */
export function readBreakGlassReport(given: string): BreakGlassReport {
  const value: unknown = parseStrictJson(given, { maxBytes: MAX_REPORT });
  requireMembers<BreakGlassReport>(value, CHECKS, 'break-glass report');
  return { ...value, statements: value.statements.map((one) => readOpeningStatement(one)) };
}

/** An event of a report, for people. */
export interface ReportedAct {
  readonly at: string;
  readonly account: string;
  readonly operation: string;
  readonly target: string;
}

function broken(what: string): KmcError {
  return new KmcError('E_AUDIT', `The report does not hold: ${what}.`);
}

/** The records of the session's chain, link by link from its beginning. @throws KmcError E_AUDIT. */
function chainOf({ session, events }: BreakGlassReport): AuditRecord[] {
  let previous: string | null = null;
  return events.map((canon, position) => {
    const bytes = Buffer.from(canon, 'utf8');
    const record = parseAuditRecord(bytes);
    const link = record.subj.find(({ t, tag }) => t === 'break-glass' && tag === session);
    if (link?.n !== position || link.p !== previous) throw broken(`event ${position} is not the next of the session`);
    previous = leafHash(sm3, bytes).toString('base64url');
    return record;
  });
}

function requireFrame(report: BreakGlassReport, chain: readonly AuditRecord[]): void {
  const [first, last] = [chain[0], chain.at(-1)];
  if (first?.act !== 'breakglass.open' || last?.act !== 'breakglass.end') {
    throw broken('it does not reach from the opening to the end');
  }
  const statements = canonicalizeSigned(report.statements);
  if (first.det['digest'] !== `sm3:${sm3(Buffer.from(statements, 'utf8')).toString('hex')}`) {
    throw broken('the log names other statements');
  }
  if (last.det['acts'] !== chain.length - 2) throw broken('its end counts other acts');
  if (last.det['ended'] !== report.endedAt) throw broken('the log says that it ended at another time');
  const seconds = (Date.parse(report.endedAt) - Date.parse(report.openedAt)) / 1000;
  if (Math.abs(Date.parse(first.ts) - Date.parse(report.openedAt)) >= 1000 || seconds > BREAK_GLASS_SECONDS) {
    throw broken('its times are not those of the log, or it lasted too long');
  }
}

function actOf(record: AuditRecord, report: BreakGlassReport): ReportedAct {
  const { operation = '', target = '' } = record.det;
  const opener = report.statements.some(({ body }) => body.account === record.actor.id);
  const known = isBreakGlassOperation(String(operation));
  if (record.act !== 'breakglass.act' || record.actor.t !== 'sealed-account' || !opener || !known) {
    throw broken('an act is of somebody else, or not one of break-glass');
  }
  return { at: record.ts, account: record.actor.id, operation: String(operation), target: String(target) };
}

export interface VerifiedReport {
  readonly report: BreakGlassReport;
  readonly digest: string;
  readonly acts: readonly ReportedAct[];
  readonly effects: readonly AuditRecord[];
}

/**
 * Verifies a report by itself: the statements of two sealed accounts, the whole chain of the session from its opening to
 * its end, only acts of break-glass in it, and effects that belong to these acts.
 * @param log lines of an auditor's verified copy of the log: every event must stand in it. Without it the last event of the
 * chain and the effects are only what the report says of itself.
 * @throws KmcError E_JSON, E_SIZE, E_SCHEMA, E_AUDIT, E_APPROVAL, E_SAME_PERSON, E_SIGNATURE, E_QUORUM, E_TIME.
 */
export function verifyBreakGlassReport(given: string, log?: ReadonlySet<string>): VerifiedReport {
  const report = readBreakGlassReport(given);
  const seals = report.statements.map(({ body, certificate }): RegisteredSeal => ({
    id: body.account,
    bag: body.bag,
    certificateSm3: sm3Fingerprint(Buffer.from(certificate, 'base64')),
    state: 'sealed',
  }));
  const at = readSignedTime(report.openedAt) ?? new Date(Number.NaN);
  const opening = verifyOpening(report.statements, seals, { environment: report.environment, at });
  if (opening.id !== report.session || opening.reason !== report.reason) throw broken('it is of another session');
  const chain = chainOf(report);
  requireFrame(report, chain);
  const acts = chain.slice(1, -1).map((record) => actOf(record, report));
  const requests = new Set(chain.map(({ src }) => src.req));
  const effects = report.effects.map((canon) => parseAuditRecord(Buffer.from(canon, 'utf8')));
  if (
    effects.some(({ actor, src }) => actor.t !== 'sealed-account' || src.req === undefined || !requests.has(src.req))
  ) {
    throw broken('an effect belongs to no act of the session');
  }
  const missing = log === undefined ? 0 : [...report.events, ...report.effects].filter((line) => !log.has(line)).length;
  if (missing > 0) throw broken(`${missing} of its events do not stand in the log`);
  return { report, digest: reportDigest(given), acts, effects };
}
