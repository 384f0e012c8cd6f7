import type { AuditSource } from '../../domain/audit/event.ts';
import { auditActor } from '../../domain/caller.ts';
import { consoleSessionId } from '../../domain/console-session.ts';
import { newId } from '../../domain/id.ts';
import type { Clock, Database } from '../ports/database.ts';
import { sessionCaller } from './session-caller.ts';

/** Ends the session of a browser. @throws KmcError E_UNAUTHENTICATED when there is none. */
export async function endSession(
  ports: { readonly database: Database; readonly clock: Clock },
  input: { readonly secret: string; readonly source: AuditSource },
): Promise<void> {
  const caller = await sessionCaller(ports, input.secret);
  const id = consoleSessionId(input.secret) ?? '';
  const at = ports.clock.now();
  const event = newId('ev', at);
  await ports.database.transaction(async (tx) => {
    if (!(await tx.consoleSessions.end(id))) return;
    await tx.audit.append(
      {
        id: event,
        action: 'console.end',
        outcome: 'success',
        subjects: [{ type: 'person', id: caller.id }],
        actor: auditActor(caller),
        source: input.source,
        detail: {},
      },
      at,
    );
  });
}
