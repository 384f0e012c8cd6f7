import { KmcError } from '../../errors.ts';
import type { Clock, Database } from '../ports/database.ts';
import type { StoredReply } from '../ports/idempotency.ts';

/** Hours that an answer is kept under its key. */
const KEPT_HOURS = 25;

/**
 * Runs `work` at most once for a caller and a key, and answers repeats with what was answered first.
 * `work` must not answer with a secret in clear. When it throws, the claim is given up and the call may be tried again.
 * @param scope.bodyDigest `sm3:<hex>` over what was asked: another one under the same key is a conflict.
 * @throws KmcError E_CONFLICT for another body, and while the first call is still running (retryAfter is set).
 */
export async function answerOnce(
  ports: { readonly database: Database; readonly clock: Clock },
  scope: { readonly caller: string; readonly key: string; readonly bodyDigest: string },
  work: () => Promise<StoredReply>,
): Promise<StoredReply> {
  const { caller, key, bodyDigest } = scope;
  const createdAt = ports.clock.now();
  const expiresAt = new Date(createdAt.getTime() + KEPT_HOURS * 3_600_000);
  const earlier = await ports.database.transaction(async (tx) =>
    (await tx.idempotency.claim({ caller, key, bodyDigest, createdAt, expiresAt }))
      ? undefined
      : tx.idempotency.find(caller, key),
  );
  if (earlier !== undefined) {
    if (earlier.bodyDigest !== bodyDigest) {
      throw new KmcError('E_CONFLICT', 'this Idempotency-Key was used for another request: take a new one');
    }
    if (earlier.reply !== undefined) return earlier.reply;
    throw new KmcError('E_CONFLICT', 'the first call with this Idempotency-Key is still running', { retryAfter: 2 });
  }
  try {
    const reply = await work();
    await ports.database.transaction((tx) => tx.idempotency.answer(caller, key, reply));
    return reply;
  } catch (error) {
    await ports.database.transaction((tx) => tx.idempotency.release(caller, key));
    throw error;
  }
}
