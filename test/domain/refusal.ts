/** What a call refuses, so that a test can look at code and pointers; anything but a KmcError is a failure. */
import { KmcError } from '../../src/errors.ts';

/** The refusal of `work`, undefined when it goes through. */
export function refusalOf(work: () => unknown): KmcError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof KmcError) return error;
    throw error;
  }
}

/** The same for work that takes time. */
export async function refusalFrom(work: Promise<unknown>): Promise<KmcError | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof KmcError) return error;
    throw error;
  }
}
