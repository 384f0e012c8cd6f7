/** What a check of an invariant found, and how it goes through all rows of a kind. */

/** What one invariant of security-and-faults 5.3 came to. */
export interface InvariantResult {
  /** `I1` to `I12` of security-and-faults 5.3; `I13` and `I14` are of people and of break-glass, `I20` of supervision. */
  readonly id: string;
  readonly title: string;
  /** How many things were looked at. */
  readonly checked: number;
  /** Empty when it holds. */
  readonly violations: readonly string[];
  /** Why it could not be looked at in full, e.g. that this process holds no shares of the keystore. */
  readonly limit?: string;
}

const PAGE = 500;
/** Violations named one by one; more are counted. */
const NAMED = 20;

/** Collects what one check looked at and found. */
export class Findings {
  checked = 0;
  readonly #violations: string[] = [];
  #more = 0;

  add(violation: string): void {
    if (this.#violations.length < NAMED) this.#violations.push(violation);
    else this.#more += 1;
  }

  result(id: string, title: string, limit?: string): InvariantResult {
    const violations = this.#more === 0 ? this.#violations : [...this.#violations, `and ${this.#more} more`];
    return { id, title, checked: this.checked, violations, ...(limit === undefined ? {} : { limit }) };
  }
}

/** Every row of a list, page by page. */
export async function* pagesOf<Row extends { readonly id: string }>(
  read: (page: { limit: number; after?: string }) => Promise<Row[]>,
): AsyncGenerator<Row> {
  let after: string | undefined;
  for (;;) {
    const rows = await read({ limit: PAGE, ...(after === undefined ? {} : { after }) });
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    after = last.id;
  }
}
