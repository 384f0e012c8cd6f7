import {
  encodeEntryBundle,
  TILE_WIDTH,
  tileExists,
  type TileCoordinates,
  type TileReader,
} from '../../../domain/audit/tiles.ts';
import { KmcError } from '../../../errors.ts';
import type { AuditReader } from '../../ports/audit.ts';

/**
 * A hash tile or entry bundle in exactly the width asked for, from what the sequencer stored.
 * @throws KmcError E_NOT_FOUND when the tree is not that wide.
 */
export async function readAuditTile(reader: AuditReader, tile: TileCoordinates): Promise<Buffer> {
  const { level, index, width } = tile;
  if (!tileExists(tile, await reader.size())) throw absent();
  const first = index * TILE_WIDTH;
  if (level === 'entries') {
    const entries = await reader.entries(first, width);
    return encodeEntryBundle(exactly(entries, width).map((entry) => entry.canon));
  }
  if (width === TILE_WIDTH) {
    const stored = await reader.tile(level, index);
    if (stored === undefined) throw damaged();
    return stored.hashes;
  }
  const hashes = level === 0 ? await reader.leaves(first, width) : await reader.tileRoots(level - 1, first, width);
  return Buffer.concat(exactly(hashes, width));
}

/** The stored tiles as the source of proofs. */
export function storedTiles(reader: AuditReader): TileReader {
  return (level, index, width) => readAuditTile(reader, { level, index, width });
}

function exactly<T>(found: readonly T[], width: number): readonly T[] {
  if (found.length !== width) throw damaged();
  return found;
}

function absent(): KmcError {
  return new KmcError('E_NOT_FOUND', 'The log has no such tile yet.');
}

function damaged(): KmcError {
  return new KmcError(
    'E_AUDIT',
    'The stored tree of the audit log has a hole. Seal, and restore it from the auditor.',
    {
      fatal: true,
    },
  );
}
