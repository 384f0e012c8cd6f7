import type { RevokedRow } from '../ports/certificates.ts';
import type { Reader } from '../ports/database.ts';

const PAGE = 1_000;

/**
 * Every revoked or on-hold certificate of an authority, or of one shard of it, in the order of a CRL. A page of them is in
 * memory at a time; within a snapshot they are all of one moment.
 */
export async function* eachRevoked(reader: Reader, authorityId: string, shard?: string): AsyncGenerator<RevokedRow> {
  let after: string | undefined;
  for (;;) {
    const rows = await reader.certificates.revoked(authorityId, {
      limit: PAGE,
      ...(shard === undefined ? {} : { shard }),
      ...(after === undefined ? {} : { after }),
    });
    yield* rows;
    if (rows.length < PAGE) return;
    after = rows.at(-1)?.serialNumber;
  }
}
