/** The folder that an export of the audit log is: written by pull and export, read by verify. */
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  promises,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { TileFile } from '../domain/audit/verify-tiles.ts';
import { KmcError } from '../errors.ts';
import { AUDIT_FILES } from '../flows/audit/pulls/export-audit.ts';
import type { AuditFolder } from '../flows/ports/audit.ts';

const NEWLINE = 0x0a;
/** Far above any record: a file without line ends must not fill the memory. */
const LONGEST_LINE = 1_048_576;

/**
 * A folder to export to. Files that are there are never written over.
 * Its `write` rejects with KmcError E_EXISTS, E_STORAGE.
 */
export function createAuditFolder(directory: string): AuditFolder {
  return {
    async write(path, content) {
      const file = join(directory, ...path.split('/'));
      mkdirSync(dirname(file), { recursive: true });
      const handle = await promises.open(file, 'wx').catch((cause: unknown) => {
        throw new KmcError('E_EXISTS', `The export cannot write ${path}: name a folder that is not there yet.`, {
          cause,
        });
      });
      try {
        for await (const part of content) await handle.writeFile(part);
        await handle.sync();
      } catch (cause) {
        throw cause instanceof KmcError
          ? cause
          : new KmcError('E_STORAGE', `The export cannot write ${path}.`, { cause });
      } finally {
        await handle.close();
      }
    },
  };
}

/**
 * Lets `fill` write into a new folder beside the named one, which gets its name once it is whole. Whatever stops it leaves
 * nothing behind, so that it can be tried again.
 * @throws KmcError E_EXISTS when the named folder is there, E_STORAGE; and what `fill` throws.
 */
export async function makeFolderWhole(directory: string, fill: (unfinished: string) => Promise<void>): Promise<void> {
  const taken = () => new KmcError('E_EXISTS', `There is something of that name already: ${directory}`);
  if (existsSync(directory)) throw taken();
  let unfinished: string | undefined;
  try {
    mkdirSync(dirname(resolve(directory)), { recursive: true });
    unfinished = mkdtempSync(`${resolve(directory)}.unfinished-`);
    await fill(unfinished);
    if (existsSync(directory)) throw taken();
    renameSync(unfinished, directory);
  } catch (cause) {
    if (unfinished !== undefined) rmSync(unfinished, { recursive: true, force: true });
    if (cause instanceof Error && 'syscall' in cause) {
      throw new KmcError('E_STORAGE', `The folder cannot be written: ${directory}`, { cause });
    }
    throw cause;
  }
}

/** @throws KmcError E_NOT_FOUND when there is no folder of that name. */
export function requireAuditFolder(directory: string): void {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new KmcError('E_NOT_FOUND', `There is no folder ${directory}: name the one that kmc audit pull made.`);
}

/** A file of the export as UTF-8 text; undefined when it is not there or cannot be read. */
export function readAuditFile(directory: string, name: string): string | undefined {
  return readOrNothing(join(directory, name))?.toString('utf8');
}

/** The tile files of the export; undefined when it has none at all. */
export function tileFilesOf(directory: string): TileFile | undefined {
  const tiles = join(directory, AUDIT_FILES.tiles);
  return existsSync(tiles) ? (path) => readOrNothing(join(tiles, ...path.split('/'))) : undefined;
}

/**
 * The lines of the events file in portions, as the exact bytes between the line ends.
 * @returns through the generator: true when the file ends with a line end, as a whole one does.
 * @throws KmcError E_NOT_FOUND without such a file, E_SIZE for a line that no event can be.
 */
export async function* eventLines(directory: string): AsyncGenerator<Buffer[], boolean> {
  let rest = Buffer.alloc(0);
  try {
    const stream: AsyncIterable<Buffer> = createReadStream(join(directory, AUDIT_FILES.events), {
      highWaterMark: 1 << 20,
    });
    for await (const chunk of stream) {
      const bytes = Buffer.concat([rest, chunk]);
      const lines: Buffer[] = [];
      let start = 0;
      for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
        lines.push(bytes.subarray(start, end));
        start = end + 1;
      }
      yield lines;
      rest = Buffer.from(bytes.subarray(start));
      if (rest.length > LONGEST_LINE)
        throw new KmcError('E_SIZE', 'A line of the events file is longer than any event.');
    }
  } catch (cause) {
    if (cause instanceof KmcError) throw cause;
    throw new KmcError('E_NOT_FOUND', `The file ${AUDIT_FILES.events} is missing or cannot be read.`, { cause });
  }
  return rest.length === 0;
}

function readOrNothing(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
