/** What runs a ceremony (C13): digests of the program's own files, of the runtime and of the lock file. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { release, type } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import type { ToolIdentity } from '../domain/ceremony/plan.ts';

const COMMIT = /^[0-9a-f]{40}$/;
const PROGRAM_FILE = /\.(?:js|ts|json|wasm)$/;

/**
 * Measures the tool.
 * @param program folder of the program files (`dist`, or `src` where it runs from source).
 * @param lockFile package-lock.json.
 * @param engine name of the crypto engine.
 */
export function measureTool(program: string, lockFile: string, engine: string): ToolIdentity {
  const files = readdirSync(program, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && PROGRAM_FILE.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const hashes = { sm3: createHash('sm3'), sha256: createHash('sha256') };
  for (const file of files) {
    const name = relative(program, file).split(sep).join('/');
    const content = readFileSync(file);
    for (const hash of Object.values(hashes)) hash.update(`${name}\0${content.length}\0`).update(content);
  }
  return {
    bundleSm3: `sm3:${hashes.sm3.digest('hex')}`,
    bundleSha256: `sha256:${hashes.sha256.digest('hex')}`,
    node: process.version,
    nodeSm3: sm3Of(process.execPath),
    openssl: process.versions.openssl,
    os: systemImage(),
    commit: commitOf(dirname(lockFile)),
    lockSm3: existsSync(lockFile) ? sm3Of(lockFile) : `sm3:${'0'.repeat(64)}`,
    engine,
  };
}

function systemImage(): string {
  const [, name] = /^PRETTY_NAME="?([^"\n]{1,100})/m.exec(readOrNothing('/etc/os-release')) ?? [];
  return name ?? `${type()} ${release()}`;
}

/** The commit that is checked out; its name stands in a file or beside others in packed-refs. */
function commitOf(root: string): string {
  const head = readOrNothing(join(root, '.git', 'HEAD')).trim();
  const [, reference] = /^ref: (refs\/[A-Za-z0-9._/-]{1,200})$/.exec(head) ?? [];
  if (reference === undefined) return COMMIT.test(head) ? head : 'none';
  const own = readOrNothing(join(root, '.git', reference)).trim();
  if (COMMIT.test(own)) return own;
  const packed = readOrNothing(join(root, '.git', 'packed-refs')).split('\n');
  return packed.find((line) => line.endsWith(` ${reference}`))?.slice(0, 40) ?? 'none';
}

function readOrNothing(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function sm3Of(file: string): string {
  return `sm3:${createHash('sm3').update(readFileSync(file)).digest('hex')}`;
}
