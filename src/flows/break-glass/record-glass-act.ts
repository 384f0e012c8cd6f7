import { sessionLasts, type BreakGlassOperation } from '../../domain/break-glass.ts';
import { auditActor, type SealedAccountCaller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import { glassEvent } from './glass-event.ts';

export interface GlassAct {
  readonly operation: BreakGlassOperation;
  /** Path of the call: what it is about. */
  readonly target: string;
  readonly requestId: string;
}

/**
 * Writes what a sealed account is about to do into the chain of its session, before it is done.
 * @throws KmcError E_UNAUTHENTICATED when the session is over.
 */
export async function recordGlassAct(
  ports: Pick<Instance, 'database' | 'clock' | 'node'>,
  caller: SealedAccountCaller,
  { operation, target, requestId }: GlassAct,
): Promise<void> {
  const at = ports.clock.now();
  const id = newId('ev', at);
  await ports.database.transaction(async (tx) => {
    const session = await tx.breakGlass.find(caller.session);
    if (session === undefined || !sessionLasts(session, at)) {
      throw new KmcError('E_UNAUTHENTICATED', 'The break-glass session is over.');
    }
    const source = { node: ports.node, request: requestId };
    const detail = { account: caller.id, operation, target };
    const event = { id, action: 'breakglass.act', session: session.id, actor: auditActor(caller), source } as const;
    await tx.audit.append(glassEvent({ ...event, detail }), at);
  });
}
