import { sm3 } from '../../../crypto/gm/sm3.ts';
import { nodesFromTiles } from '../../../domain/audit/tiles.ts';
import { rootFromNodes } from '../../../domain/audit/tree.ts';
import { KmcError } from '../../../errors.ts';
import type { Database } from '../../ports/database.ts';
import { storedTiles } from './read-audit-tile.ts';

/**
 * The root of the tree at a size, 32 octets: what a signed checkpoint of that size must state.
 * @throws KmcError E_NOT_FOUND when the log is not that large.
 */
export async function auditTreeRoot(
  ports: { readonly database: Pick<Database, 'read'> },
  size: number,
): Promise<Buffer> {
  return await ports.database.read(async ({ audit }) => {
    if (size > (await audit.size())) throw new KmcError('E_NOT_FOUND', 'The log is not that large yet.');
    return await rootFromNodes(sm3, size, nodesFromTiles(sm3, size, storedTiles(audit)));
  });
}
