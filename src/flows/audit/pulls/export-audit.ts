import { decodeEntryBundle, tilePath, tilesOf, tilesOfLevel } from '../../../domain/audit/tiles.ts';
import { parseNote } from '../../../domain/audit/checkpoint.ts';
import { KmcError } from '../../../errors.ts';
import type { AuditFolder, AuditSource, StoredCheckpoint } from '../../ports/audit.ts';

export interface AuditExport {
  readonly origin: string;
  /** Events that were written. */
  readonly size: number;
  readonly checkpoint: string;
}

export const AUDIT_FILES = {
  /** One event a line, the exact bytes that are hashed; the line number from 0 is the leaf index. */
  events: 'events.jsonl',
  /** The newest signed note. */
  checkpoint: 'checkpoint.txt',
  /** Every signed note on the way: {"note", "size", "time"} a line. */
  checkpoints: 'checkpoints.jsonl',
  certificate: 'log.crt.pem',
  policy: 'policy.json',
  tiles: 'tiles',
} as const;

const NEWLINE = Buffer.from('\n');

/**
 * Copies the whole log as it stands at its newest checkpoint into a folder that `kmc audit verify` checks offline. The
 * source may be the service's own database or another service over HTTP; nothing of it is trusted here.
 * @param progress is told the number of events done.
 * @throws KmcError E_NOT_FOUND when nothing was signed yet; what source and folder throw.
 */
export async function exportAudit(
  ports: { readonly source: AuditSource; readonly folder: AuditFolder },
  progress: (done: number, total: number) => void = () => undefined,
): Promise<AuditExport> {
  const { source, folder } = ports;
  const checkpoint = await source.checkpoint();
  if (checkpoint === undefined) {
    throw new KmcError('E_NOT_FOUND', 'The log has no signed checkpoint yet. Ask again in a few seconds.');
  }
  const { origin, size } = parseNote(checkpoint).checkpoint;
  await folder.write(AUDIT_FILES.certificate, text(await source.certificate()));
  await folder.write(AUDIT_FILES.policy, text(await source.policy()));
  await folder.write(AUDIT_FILES.events, events(ports, size, progress));
  for (const tile of tilesOf(size)) {
    if (tile.level === 'entries') continue;
    const path = tilePath(tile);
    await folder.write(`${AUDIT_FILES.tiles}/${path}`, [await source.tile(path)]);
  }
  await folder.write(AUDIT_FILES.checkpoints, notes(source, size));
  // Last, so that a copy that was cut short has none.
  await folder.write(AUDIT_FILES.checkpoint, text(checkpoint));
  return { origin, size, checkpoint };
}

/** The lines of the events file; each bundle is written beside it on the way. */
async function* events(
  { source, folder }: { readonly source: AuditSource; readonly folder: AuditFolder },
  size: number,
  progress: (done: number, total: number) => void,
): AsyncGenerator<Buffer> {
  let done = 0;
  for (const tile of tilesOfLevel('entries', size)) {
    const path = tilePath(tile);
    const bundle = await source.tile(path);
    await folder.write(`${AUDIT_FILES.tiles}/${path}`, [bundle]);
    yield Buffer.concat(decodeEntryBundle(bundle, tile.width).flatMap((entry) => [entry, NEWLINE]));
    done += tile.width;
    progress(done, size);
  }
}

async function* notes(source: AuditSource, size: number): AsyncGenerator<Buffer> {
  let time = 0;
  for (;;) {
    const found: readonly StoredCheckpoint[] = await source.checkpointsAfter(time);
    const last = found.at(-1);
    if (last === undefined) return;
    const lines = found
      .filter((note) => note.size <= size)
      .map((note) => `${JSON.stringify({ note: note.note, size: note.size, time: note.time })}\n`);
    yield Buffer.from(lines.join(''), 'utf8');
    time = last.time;
  }
}

function text(content: string): Buffer[] {
  return [Buffer.from(content, 'utf8')];
}
