import type { AuditAction } from '../../../domain/audit/actions.ts';
import type { AuditActor, AuditEventInput, AuditSource, AuditSubject, AuditTerm } from '../../../domain/audit/event.ts';
import { newId } from '../../../domain/id.ts';
import { KmcError, type ErrorCode } from '../../../errors.ts';
import type { Clock, Database } from '../../ports/database.ts';

/** What is attempted: enough to tell of it when it does not come off. */
export interface AuditedAttempt {
  readonly action: AuditAction;
  readonly subjects: readonly AuditSubject[];
  readonly terms?: readonly AuditTerm[];
  readonly actor: AuditActor;
  readonly source: AuditSource;
  readonly detail?: AuditEventInput['detail'];
}

/** Codes that say "you may not", where others say "it did not work". */
const DENIALS: readonly ErrorCode[] = [
  'E_APPROVAL',
  'E_FORBIDDEN',
  'E_POLICY',
  'E_QUORUM',
  'E_SAME_PERSON',
  'E_SEALED',
  'E_UNAUTHENTICATED',
];

/**
 * Runs `work`, which appends its own event of success inside its transaction. When it throws, its transaction is gone
 * with everything in it; the failure or denial is then written in a transaction of its own, and the error goes on.
 * @throws what `work` throws; KmcError E_AUDIT, with that as its cause, when the failure itself could not be recorded
 * (unless the database was the failure).
 */
export async function audited<T>(
  ports: { readonly database: Pick<Database, 'transaction'>; readonly clock: Clock },
  attempt: AuditedAttempt,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await recordFailure(ports, attempt, error);
    throw error;
  }
}

async function recordFailure(
  ports: { readonly database: Pick<Database, 'transaction'>; readonly clock: Clock },
  attempt: AuditedAttempt,
  error: unknown,
): Promise<void> {
  const code = error instanceof KmcError ? error.code : 'E_INTERNAL';
  if (code === 'E_STORAGE') return;
  const at = ports.clock.now();
  const event: AuditEventInput = {
    ...toldWhileSealed(attempt, code),
    id: newId('ev', at),
    outcome: DENIALS.includes(code) ? 'denied' : 'failure',
    code,
  };
  try {
    await ports.database.transaction(async (tx) => {
      await tx.audit.append(event, at);
    });
  } catch (failure) {
    throw new KmcError('E_AUDIT', 'The call failed, and that could not be recorded. Nothing was changed.', {
      cause: new AggregateError([error, failure], 'the failure and why it was not recorded'),
      fatal: failure instanceof KmcError && failure.fatal,
    });
  }
}

/** A sealed service cannot record the act itself, only that it was asked for. */
function toldWhileSealed(attempt: AuditedAttempt, code: ErrorCode): Omit<AuditEventInput, 'id' | 'outcome'> {
  if (code !== 'E_SEALED') return { ...attempt, detail: attempt.detail ?? {} };
  return { ...attempt, action: 'access.denied', detail: { operation: attempt.action } };
}
