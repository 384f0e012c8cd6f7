import { sm3 } from '../../../crypto/gm/sm3.ts';
import { nodesFromTiles } from '../../../domain/audit/tiles.ts';
import { inclusionProof } from '../../../domain/audit/tree.ts';
import { KmcError } from '../../../errors.ts';
import type { Database } from '../../ports/database.ts';
import { storedTiles } from './read-audit-tile.ts';

/**
 * The proof that the event with that index is in the tree of `size` leaves (RFC 6962 2.1.1): hashes of 32 octets.
 * @throws KmcError E_NOT_FOUND when the log has no such event or size.
 */
export async function proveInclusion(
  ports: { readonly database: Pick<Database, 'read'> },
  input: { readonly index: number; readonly size: number },
): Promise<Buffer[]> {
  return await ports.database.read(async ({ audit }) => {
    if (input.size > (await audit.size())) throw new KmcError('E_NOT_FOUND', 'The log is not that large yet.');
    return await inclusionProof(sm3, input.index, input.size, nodesFromTiles(sm3, input.size, storedTiles(audit)));
  });
}
