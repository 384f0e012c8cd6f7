import { sessionLasts } from '../../domain/break-glass.ts';
import type { AuditActor } from '../../domain/audit/event.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { holdsRoleIn } from '../../domain/person.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import type { BreakGlassRow } from '../ports/break-glass.ts';
import type { Transaction } from '../ports/database.ts';
import { glassEvent } from './glass-event.ts';

export type EndBreakGlassPorts = Pick<Instance, 'database' | 'clock' | 'node'>;

interface Ending {
  /** Of the event, made before the transaction. */
  readonly id: string;
  readonly at: Date;
  readonly node: string;
  readonly request?: string;
  /** Who ended it before its time; the service itself otherwise. */
  readonly by?: AuditActor;
}

/** Most events of a session that are counted: far above what four hours hold. */
export const MOST_EVENTS = 10_000;

/** Ends a session, at its time or before it, with its last event. @throws KmcError E_CONFLICT when it was ended. */
export async function endSession(tx: Transaction, session: BreakGlassRow, ending: Ending): Promise<void> {
  const { id, at, node, request, by } = ending;
  const endedAt = at < session.expiresAt ? at : session.expiresAt;
  if (!(await tx.breakGlass.end(session.id, endedAt, id))) {
    throw new KmcError('E_CONFLICT', 'The session was ended at the same time.');
  }
  const events = await tx.audit.history('break-glass', session.id, 0, MOST_EVENTS);
  const source = { node, ...(request === undefined ? {} : { request }) };
  const actor = by ?? { type: 'system' as const, id: node };
  const reason = by === undefined ? 'time' : 'ended';
  const detail = { acts: events.length - 1, ended: signedTime(endedAt), reason };
  await tx.audit.append(glassEvent({ id, action: 'breakglass.end', session: session.id, actor, source, detail }), at);
}

/**
 * Ends the session that is open: one of its sealed accounts or a security administrator at any time, the service itself
 * once its time is over.
 * @returns its id; undefined when the service found nothing to end.
 * @throws KmcError E_FORBIDDEN, E_NOT_FOUND (nobody has broken the glass), E_CONFLICT.
 */
export async function endBreakGlass(
  ports: EndBreakGlassPorts,
  caller: Caller,
  requestId?: string,
): Promise<string | undefined> {
  const bySystem = caller.type === 'system';
  const isOfficer = caller.type === 'person' && holdsRoleIn(caller, 'security-administrator');
  if (!bySystem && !isOfficer && caller.type !== 'sealed-account') {
    throw new KmcError('E_FORBIDDEN', 'A sealed account of the session ends it, or a security-administrator.');
  }
  const at = ports.clock.now();
  const id = newId('ev', at);
  return ports.database.transaction(async (tx) => {
    const session = await tx.breakGlass.unended();
    if (session === undefined || (bySystem && sessionLasts(session, at))) {
      if (bySystem) return undefined;
      throw new KmcError('E_NOT_FOUND', 'Nobody has broken the glass.');
    }
    const role = isOfficer ? 'security-administrator' : undefined;
    await endSession(tx, session, {
      id,
      at,
      node: ports.node,
      ...(requestId === undefined ? {} : { request: requestId }),
      ...(bySystem ? {} : { by: auditActor(caller, role) }),
    });
    return session.id;
  });
}
