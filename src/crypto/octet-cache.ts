/** Longer inputs are rare and not worth their memory. */
const LONGEST = 1_024;

/**
 * What was read from public octets before, by the octets: parsers meet the same names, keys and extension values again
 * and again. Holds the latest `limit` results, which everybody shares, so they must never be altered. Not for secrets.
 */
export class OctetCache<Result> {
  readonly #limit: number;
  readonly #known = new Map<string, Result>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * The result for these octets, computed when it is not known. `compute` gets a copy that nobody else can write to; what
   * it throws is not remembered.
   */
  get(octets: Buffer, compute: (octets: Buffer) => Result): Result {
    if (octets.length > LONGEST) return compute(octets);
    const name = octets.toString('latin1');
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const result = compute(Buffer.from(octets));
    this.#known.set(name, result);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= this.#limit) break;
      this.#known.delete(oldest);
    }
    return result;
  }
}
