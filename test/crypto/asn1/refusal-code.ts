import { KmcError } from '../../../src/errors.ts';
import type { ErrorCode } from '../../../src/errors.ts';

/** The code with which `work` is refused, undefined when it is not; any error but a KmcError is rethrown. */
export function refusalCode(work: () => unknown): ErrorCode | undefined {
  try {
    work();
  } catch (error) {
    if (!(error instanceof KmcError)) throw error;
    return error.code;
  }
  return undefined;
}
