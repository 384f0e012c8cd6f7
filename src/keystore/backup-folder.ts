/** The folder of backups: one file each, private, under its name only once it is whole and durable. */
import { closeSync, lstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { isBackupId } from '../domain/backup/backup-header.ts';
import { KmcError } from '../errors.ts';
import type { BackupFiles } from '../flows/ports/backup-files.ts';
import { beginDurableFile, deleteStrayTemporaries, makePrivateDirectory } from './durable-file.ts';

const PIECE_OCTETS = 1_048_576;
/** Nobody writes one backup for so long without writing. */
const ABANDONED_MS = 86_400_000;
const SUFFIX = '.kmc-backup';

/**
 * The backups in `folder`, which is made with mode 0700 when the first one is.
 * @throws KmcError E_STORAGE, E_INTEGRITY out of its members, also for a folder that is open to others.
 */
export function createBackupFolder(folder: string): BackupFiles {
  const pathOf = (id: string): string => {
    if (!isBackupId(id)) throw new KmcError('E_ID', 'The id of a backup is backup- and 32 hex digits.');
    return join(folder, `${id}${SUFFIX}`);
  };
  return {
    create(id) {
      const path = pathOf(id);
      makePrivateDirectory(folder);
      // Another backup may be under way.
      deleteStrayTemporaries(folder, new Date(Date.now() - ABANDONED_MS));
      return beginDurableFile(path);
    },
    exists: (id) => lstatSync(pathOf(id), { throwIfNoEntry: false })?.isFile() === true,
    size: (id) => lstatSync(pathOf(id), { throwIfNoEntry: false })?.size ?? 0,
    piece: (id, offset, length) => readPiece(pathOf(id), offset, length),
    async *read(id) {
      const path = pathOf(id);
      let offset = 0;
      for (;;) {
        const piece = readPiece(path, offset, PIECE_OCTETS);
        if (piece.length === 0) return;
        offset += piece.length;
        yield await Promise.resolve(piece);
      }
    },
  };
}

function readPiece(path: string, offset: number, length: number): Buffer {
  const descriptor = openToRead(path);
  try {
    const piece = Buffer.alloc(length);
    return piece.subarray(0, readSync(descriptor, piece, 0, length, offset));
  } catch (cause) {
    throw new KmcError('E_STORAGE', 'The backup file cannot be read. Check its medium, or take another copy.', {
      cause,
    });
  } finally {
    closeSync(descriptor);
  }
}

function openToRead(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    throw new KmcError('E_NOT_FOUND', 'There is no such backup file, or it cannot be read.', { cause });
  }
}
