import type { AuditSubject } from '../../../domain/audit/event.ts';
import type { RefusalTally } from '../../../domain/audit/refusals.ts';
import { auditActor, type Caller } from '../../../domain/caller.ts';
import { newId } from '../../../domain/id.ts';
import type { ErrorCode } from '../../../errors.ts';
import type { Clock, Database } from '../../ports/database.ts';

export interface RefusedCall {
  readonly caller: Caller;
  readonly code: ErrorCode;
  readonly operationId: string;
  readonly requestId: string;
}

export interface RefusalPorts {
  readonly database: Pick<Database, 'transaction'>;
  readonly clock: Clock;
  readonly tally: RefusalTally;
  readonly node: string;
}

/**
 * Records that a call was refused: at once for a caller who is known, and in the tally for one who is not, whose counts
 * writeRefusalCounts turns into one event for each source and minute.
 * @throws KmcError E_AUDIT, E_STORAGE.
 */
export async function recordRefusal(ports: RefusalPorts, refused: RefusedCall): Promise<void> {
  const { caller, code, operationId, requestId } = refused;
  const at = ports.clock.now();
  if (caller.type === 'anonymous') {
    ports.tally.add(caller.source, code, operationId, at);
    return;
  }
  const id = newId('ev', at);
  await ports.database.transaction(async (tx) => {
    await tx.audit.append(
      {
        id,
        action: 'access.denied',
        outcome: 'denied',
        code,
        subjects: [subjectOf(caller, ports.node)],
        actor: auditActor(caller),
        source: { node: ports.node, request: requestId },
        detail: { operation: operationId },
      },
      at,
    );
  });
}

/** The chain that holds what a node refused when there is no person or device to hold it against. */
export function refusalsOf(node: string): AuditSubject {
  return { type: 'log', id: `refusals-${node.toLowerCase()}` };
}

function subjectOf(caller: Exclude<Caller, { type: 'anonymous' }>, node: string): AuditSubject {
  return caller.type === 'system' ? refusalsOf(node) : { type: caller.type, id: caller.id };
}
