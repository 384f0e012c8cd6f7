/** Acts whose effect lies outside of the database: intent, act under its operation id, result (D.4, audit-log 3.6). */
import { KmcError } from '../../errors.ts';
import type { ExecutionResult, ExternalHandler } from './action-handler.ts';
import { claimExecution, finishExecution, type Execution, type ExecutionEnd } from './execution.ts';

/**
 * Claims the execution, does the act, records what came of it. After a fault in the act the effect is looked up by its
 * operation id: found, it counts; not found, the request is FAILED and may be tried again; not knowable, INDETERMINATE.
 * @throws KmcError as `claimExecution`; what the act threw, when it failed; E_PENDING when its outcome is not known.
 */
export async function executeOutside(execution: Execution, handler: ExternalHandler): Promise<ExecutionResult> {
  const { database, clock } = execution.ports;
  const row = await database.transaction((tx) => claimExecution(tx, execution, handler));
  const { end, error } = await runAct(execution, handler);
  await database.transaction(async (tx) => {
    if (end.state === 'DONE') await handler.record?.(tx, execution.act, end.result);
    await finishExecution(tx, execution, row, end, clock.now());
  });
  if (end.state === 'DONE') return end.result;
  if (end.state === 'FAILED') throw error;
  throw new KmcError('E_PENDING', 'Whether the act was done is not known yet; the service looks it up.', {
    cause: error,
  });
}

async function runAct(
  { act, digest }: Execution,
  handler: ExternalHandler,
): Promise<{ readonly end: ExecutionEnd; readonly error?: unknown }> {
  try {
    return { end: { state: 'DONE', result: await handler.act(act) } };
  } catch (error) {
    const code = error instanceof KmcError ? error.code : 'E_INTERNAL';
    try {
      const result = await handler.settled(digest);
      return { end: result === undefined ? { state: 'FAILED', code } : { state: 'DONE', result }, error };
    } catch {
      return { end: { state: 'INDETERMINATE', code }, error };
    }
  }
}
