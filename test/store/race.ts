/** Races: many callers at once, and what they got. */
import { KmcError, type ErrorCode } from '../../src/errors.ts';

/** Starts `racers` calls at the same moment and returns how many answered true. */
export async function winners(racers: number, attempt: (racer: number) => Promise<boolean>): Promise<number> {
  const results = await Promise.all(Array.from({ length: racers }, (_, racer) => attempt(racer)));
  return results.filter(Boolean).length;
}

/** Runs `work`, which must fail with a KmcError of this code, and returns the error. */
export async function refusal(code: ErrorCode, work: Promise<unknown>): Promise<KmcError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof KmcError && error.code === code) return error;
  throw new Error(`${code} was expected`, { cause: error });
}
