import { KmcError } from '../../errors.ts';
import type { Finding } from './rule.ts';

/**
 * Octets that passed a lint and may be signed once. The octets are a copy of their own: what happens to the linted
 * Buffer afterwards changes nothing here.
 */
export abstract class LintedObject {
  /** What the lint found that does not forbid signing. */
  readonly warnings: readonly Finding[];
  readonly #tbs: Buffer;
  #spent = false;

  protected constructor(tbs: Buffer, warnings: readonly Finding[]) {
    this.#tbs = Buffer.from(tbs);
    this.warnings = warnings;
  }

  /** The octets to sign, once. Throws `E_LINT` the second time. */
  redeem(): Buffer {
    if (this.#spent) throw new KmcError('E_LINT', 'This object was given to signing already; lint it again.');
    this.#spent = true;
    return this.#tbs;
  }
}
