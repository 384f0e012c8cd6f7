import { KmcError } from '../../errors.ts';
import type { Clock, Database } from '../ports/database.ts';
import type { IdempotencyRow, StoredReply } from '../ports/idempotency.ts';

/** Hours that an answer is kept under its key. */
const KEPT_HOURS = 25;

/** Seconds after which a first call that has no answer is not running any more: its process is gone. */
const LOST_AFTER_SECONDS = 120;

/**
 * Runs `work` at most once for a caller and a key, and answers repeats with what was answered first.
 * `work` must not answer with a secret in clear. When it refuses, the claim is given up and the call may be tried again.
 * A call whose process was lost keeps its claim: whether it was done is for its caller to look up.
 * @param scope.bodyDigest `sm3:<hex>` over what was asked: another one under the same key is a conflict.
 * @throws KmcError E_CONFLICT for another body, while the first call is still running (retryAfter is set), and when its
 * outcome is not known.
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
  if (earlier !== undefined) return earlierReply(earlier, bodyDigest, createdAt);
  const reply = await releasingOnRefusal(ports.database, scope, work);
  await ports.database.transaction((tx) => tx.idempotency.answer(caller, key, reply));
  return reply;
}

function earlierReply(earlier: IdempotencyRow, bodyDigest: string, now: Date): StoredReply {
  if (earlier.bodyDigest !== bodyDigest) {
    throw new KmcError('E_CONFLICT', 'this Idempotency-Key was used for another request: take a new one');
  }
  if (earlier.reply !== undefined) return earlier.reply;
  if (now.getTime() - earlier.createdAt.getTime() > LOST_AFTER_SECONDS * 1000) {
    throw new KmcError('E_CONFLICT', 'what came of the first call is not known: look it up, then take a new key');
  }
  throw new KmcError('E_CONFLICT', 'the first call with this Idempotency-Key is still running', { retryAfter: 2 });
}

async function releasingOnRefusal(
  database: Database,
  { caller, key }: { readonly caller: string; readonly key: string },
  work: () => Promise<StoredReply>,
): Promise<StoredReply> {
  try {
    return await work();
  } catch (error) {
    // After a fault of the storage the work may have been done: then a repeat must not do it again.
    if (error instanceof KmcError && error.code !== 'E_STORAGE') {
      await database.transaction((tx) => tx.idempotency.release(caller, key));
    }
    throw error;
  }
}
