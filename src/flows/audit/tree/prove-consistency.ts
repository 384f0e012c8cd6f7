import { sm3 } from '../../../crypto/gm/sm3.ts';
import { nodesFromTiles } from '../../../domain/audit/tiles.ts';
import { consistencyProof } from '../../../domain/audit/tree.ts';
import { KmcError } from '../../../errors.ts';
import type { Database } from '../../ports/database.ts';
import { storedTiles } from './read-audit-tile.ts';

/**
 * The proof that the tree of `to` leaves extends the one of `from` leaves (RFC 6962 2.1.2): hashes of 32 octets.
 * @throws KmcError E_NOT_FOUND when the log has no such sizes.
 */
export async function proveConsistency(
  ports: { readonly database: Pick<Database, 'read'> },
  input: { readonly from: number; readonly to: number },
): Promise<Buffer[]> {
  return await ports.database.read(async ({ audit }) => {
    if (input.to > (await audit.size())) throw new KmcError('E_NOT_FOUND', 'The log is not that large yet.');
    return await consistencyProof(sm3, input.from, input.to, nodesFromTiles(sm3, input.to, storedTiles(audit)));
  });
}
