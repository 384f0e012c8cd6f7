import { parseStrictJson } from '../../crypto/jcs.ts';
import { parseAuditRecord, type SubjectType } from '../../domain/audit/record.ts';
import { readOpeningStatement, sessionEnd } from '../../domain/break-glass.ts';
import { REPORT_SCHEMA, reportDigest, reportText } from '../../domain/break-glass-report.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { certificateWithPair } from '../certificates/certificate-pair.ts';
import type { Instance } from '../instance.ts';
import type { Reader } from '../ports/database.ts';
import { MOST_EVENTS } from './end-break-glass.ts';
import { ISSUANCE } from './pause-issuance.ts';

/** What the path of an act is about: each subject whose chain may hold an effect of it. */
async function subjectsOf(reader: Reader, target: string): Promise<readonly (readonly [SubjectType, string])[]> {
  const [, noun = '', id = ''] = /^api\/v1\/([a-z-]+)\/([a-z0-9-]+)/.exec(target) ?? [];
  if (noun === 'people') return [['person', id]];
  if (noun === 'issuance') return [['issuance', ISSUANCE]];
  if (noun !== 'certificates') return [];
  try {
    return (await certificateWithPair(reader, id)).map((row) => ['certificate', row.id] as const);
  } catch (error) {
    if (error instanceof KmcError && error.code === 'E_NOT_FOUND') return []; // what was named was not there
    throw error;
  }
}

async function effectsOf(reader: Reader, chain: readonly string[]): Promise<string[]> {
  const acts = chain.map((canon) => parseAuditRecord(Buffer.from(canon, 'utf8')));
  const requests = new Set(acts.map(({ src }) => src.req));
  const found = new Set<string>();
  for (const { det } of acts) {
    for (const [type, id] of await subjectsOf(reader, String(det['target'] ?? ''))) {
      for (const { canon } of await reader.audit.history(type, id, 0, MOST_EVENTS)) {
        const { actor, src } = parseAuditRecord(canon);
        if (actor.t === 'sealed-account' && requests.has(src.req)) found.add(canon.toString('utf8'));
      }
    }
  }
  return [...found].sort();
}

/**
 * The report of a session that has ended: canonical text that `verifyBreakGlassReport` proves, the same every time.
 * @throws KmcError E_NOT_FOUND; E_STATE while the session lasts, or its end is not in the log yet.
 */
export async function reportBreakGlass(
  ports: Pick<Instance, 'database' | 'clock' | 'environmentName'>,
  sessionId: string,
): Promise<{ readonly text: string; readonly digest: string }> {
  return ports.database.snapshot(async (reader) => {
    const session = await reader.breakGlass.find(sessionId);
    if (session === undefined) throw new KmcError('E_NOT_FOUND', 'There is no break-glass session of that id.');
    const endedAt = session.endedAt ?? sessionEnd(session, ports.clock.now());
    const history = await reader.audit.history('break-glass', sessionId, 0, MOST_EVENTS);
    const chain = history.map(({ canon }) => canon.toString('utf8'));
    const end = chain.findIndex((canon) => parseAuditRecord(Buffer.from(canon, 'utf8')).act === 'breakglass.end');
    if (endedAt === undefined || end < 0) {
      throw new KmcError('E_STATE', 'The session lasts, or its end is still to be written: ask again a little later.');
    }
    const statements: unknown = parseStrictJson(session.statements);
    const events = chain.slice(0, end + 1);
    const text = reportText({
      schema: REPORT_SCHEMA,
      session: session.id,
      environment: ports.environmentName,
      reason: session.reason,
      openedAt: signedTime(session.openedAt),
      endedAt: signedTime(endedAt),
      statements: Array.isArray(statements) ? statements.map((one) => readOpeningStatement(one)) : [],
      events,
      effects: await effectsOf(reader, events),
    });
    return { text, digest: reportDigest(text) };
  });
}
