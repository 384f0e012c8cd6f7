import { readFileSync, readdirSync } from 'node:fs';
import { extname } from 'node:path';
import type { ConsoleFiles } from '../http/served-instance.ts';
import { KmcError } from '../errors.ts';

/** Built beside the rest of the program, and found there from the sources too. */
const FOLDER = new URL('../../dist/console/', import.meta.url);

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

/** The files of the console by name. @throws KmcError E_CONFIG when the console was not built. */
export function consoleFiles(): ConsoleFiles {
  try {
    const files = readdirSync(FOLDER).flatMap((name) => {
      const type = TYPES[extname(name)];
      return type === undefined ? [] : [[name, { type, body: readFileSync(new URL(name, FOLDER)) }] as const];
    });
    return new Map(files);
  } catch (cause) {
    throw new KmcError('E_CONFIG', 'The files of the console are missing: build the program anew.', { cause });
  }
}
