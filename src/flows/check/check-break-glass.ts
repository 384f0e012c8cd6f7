import { parseStrictJson } from '../../crypto/jcs.ts';
import { parseAuditRecord, type AuditRecord } from '../../domain/audit/record.ts';
import {
  BREAK_GLASS_REVIEWERS,
  BREAK_GLASS_SECONDS,
  isBreakGlassOperation,
  readOpeningStatement,
  REVIEW_SECONDS,
  sessionEnd,
  verifyOpening,
  type OpeningStatement,
  type RegisteredSeal,
} from '../../domain/break-glass.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import { MOST_EVENTS } from '../break-glass/end-break-glass.ts';
import type { BreakGlassRow } from '../ports/break-glass.ts';
import type { Reader } from '../ports/database.ts';
import { Findings, type InvariantResult } from './findings.ts';

type BreakGlassPorts = Pick<Instance, 'clock' | 'environmentName'>;

function statementsOf({ statements }: BreakGlassRow): OpeningStatement[] {
  const value: unknown = parseStrictJson(statements);
  return Array.isArray(value) ? value.map((one) => readOpeningStatement(one)) : [];
}

async function recordsOf(reader: Reader, type: 'break-glass' | 'sealed-account', id: string): Promise<AuditRecord[]> {
  return (await reader.audit.history(type, id, 0, MOST_EVENTS)).map(({ canon }) => parseAuditRecord(canon));
}

/** The account as an approved act sealed it, in that bag with that certificate; undefined when none did. */
async function sealedAs(reader: Reader, { body }: OpeningStatement): Promise<RegisteredSeal | undefined> {
  const sealings = await recordsOf(reader, 'sealed-account', body.account);
  const isIt = ({ act, det }: AuditRecord): boolean =>
    act === 'breakglass.seal-account' && det['bag'] === body.bag && det['certificate'] === body.certSm3;
  return sealings.some(isIt)
    ? { id: body.account, bag: body.bag, certificateSm3: body.certSm3, state: 'sealed' }
    : undefined;
}

async function openingFault(
  { environmentName }: BreakGlassPorts,
  reader: Reader,
  session: BreakGlassRow,
): Promise<string | undefined> {
  try {
    const statements = statementsOf(session);
    const seals = await Promise.all(statements.map((statement) => sealedAs(reader, statement)));
    const known = seals.filter((seal) => seal !== undefined);
    const opening = verifyOpening(statements, known, { environment: environmentName, at: session.openedAt });
    return opening.id === session.id ? undefined : 'its statements are about another session';
  } catch (error) {
    if (error instanceof KmcError) return `its opening does not hold: ${error.message}`;
    throw error;
  }
}

function actFaults(session: BreakGlassRow, records: readonly AuditRecord[], end: Date): string[] {
  const openers = new Set(statementsOf(session).map(({ body }) => body.account as string));
  return records
    .filter(({ act }) => act === 'breakglass.act')
    .flatMap(({ actor, det, ts }) => [
      ...(actor.t === 'sealed-account' && openers.has(actor.id) ? [] : [`an act is by ${actor.id}`]),
      ...(isBreakGlassOperation(String(det['operation'])) ? [] : [`an act is ${String(det['operation'])}`]),
      ...(Date.parse(ts) >= session.openedAt.getTime() && Date.parse(ts) <= end.getTime()
        ? []
        : [`an act at ${ts} lies outside of it`]),
    ]);
}

/**
 * I14: every session was opened by two sealed accounts that approved acts had sealed, lasts four hours at most, holds acts
 * of its accounts alone, and was reviewed by two auditors in time.
 */
export async function checkBreakGlass(ports: BreakGlassPorts, reader: Reader): Promise<InvariantResult> {
  const found = new Findings();
  const now = ports.clock.now();
  for (const session of await reader.breakGlass.sessions()) {
    found.checked += 1;
    const fault = await openingFault(ports, reader, session);
    if (fault !== undefined) found.add(`${session.id}: ${fault}`);
    const end = session.endedAt ?? session.expiresAt;
    const longest = session.openedAt.getTime() + BREAK_GLASS_SECONDS * 1000;
    if (session.expiresAt.getTime() > longest || end > session.expiresAt) found.add(`${session.id}: it lasts too long`);
    const records = await recordsOf(reader, 'break-glass', session.id);
    if (records[0]?.act !== 'breakglass.open') found.add(`${session.id}: its opening is not in the log`);
    for (const one of actFaults(session, records, end)) found.add(`${session.id}: ${one}`);
    const isDue = sessionEnd(session, now) !== undefined && now.getTime() > end.getTime() + REVIEW_SECONDS * 1000;
    const reviews = isDue ? await reader.breakGlass.reviews(session.id) : [];
    if (isDue && reviews.length < BREAK_GLASS_REVIEWERS) found.add(`${session.id}: two auditors had to review it`);
  }
  return found.result('I14', 'every break-glass session was opened, kept to its limits and was reviewed as it must be');
}
