/** How tests look at refusals: by the code, never by the text alone. */
import { expect } from 'chai';
import { KmcError, type ErrorCode } from '../../src/errors.ts';

/** Runs `work`, which must fail with a KmcError of this code, and returns the error. */
export async function refusal(code: ErrorCode, work: () => unknown): Promise<KmcError> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof KmcError)) throw error;
    expect(error.code, error.message).to.equal(code);
    return error;
  }
  throw new Error(`Nothing was refused; ${code} was expected.`);
}
