import type { AuditSource } from '../../../domain/audit/event.ts';
import { decodeEntryBundle, parseTilePath, TILE_WIDTH } from '../../../domain/audit/tiles.ts';
import { parseAuditRecord } from '../../../domain/audit/record.ts';
import type { Caller } from '../../../domain/caller.ts';
import { KmcError } from '../../../errors.ts';
import type { Clock, Database } from '../../ports/database.ts';
import { isOwnPull, recordPull, requireAuditReader } from './pull-audit.ts';
import { readAuditTile } from '../tree/read-audit-tile.ts';

/**
 * A hash tile or entry bundle by its tilePath. A bundle holds the events themselves, so reading it is recorded like any
 * other pull.
 * @throws KmcError E_FORBIDDEN unless the caller is an auditor or audit-administrator; E_NOT_FOUND.
 */
export async function pullAuditTile(
  ports: { readonly database: Database; readonly clock: Clock; readonly origin: string },
  { path, source }: { readonly path: string; readonly source: AuditSource },
  caller: Caller,
): Promise<Buffer> {
  requireAuditReader(caller);
  const tile = parseTilePath(path);
  if (tile === undefined) throw new KmcError('E_NOT_FOUND', 'There is no tile of that name.');
  const { bytes, size } = await ports.database.read(async ({ audit }) => ({
    bytes: await readAuditTile(audit, tile),
    size: await audit.size(),
  }));
  if (tile.level !== 'entries') return bytes;
  const entries = decodeEntryBundle(bytes, tile.width);
  if (entries.some((canon) => !isOwnPull(parseAuditRecord(canon), caller))) {
    const first = tile.index * TILE_WIDTH;
    await recordPull(ports, caller, source, { first, next: first + tile.width, events: tile.width, size });
  }
  return bytes;
}
