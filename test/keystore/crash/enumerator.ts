/**
 * Cuts a process at each of its file system calls (security-and-faults 5.4). One run under strace lists the calls that
 * touch the directory; then the process runs again for each of them and is killed as it enters the call. Only the main
 * thread is traced: the keystore is synchronous there, so the list is the same in each run.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CrashSite, FATAL_EXIT, SCENARIOS, type Scenario } from './scenarios.ts';

const CALLS = ['fsync', 'rename', 'link', 'write', 'unlink', 'mkdir'] as const;
const REPOSITORY = join(import.meta.dirname, '../../..');
const BUNDLE = join(REPOSITORY, 'node_modules/.cache/kmc-crash');

/** One line of a trace that touches the directory. */
export interface TracedCall {
  /** e.g. `fsync#3`: the third of all calls of that name in the process. */
  readonly point: string;
  readonly name: string;
  readonly order: number;
  /** Paths it names, without the directory. */
  readonly paths: readonly string[];
}

interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** True when strace is here and may trace. */
export function hasStrace(): boolean {
  return spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status === 0;
}

/** Bundles the child program, so that hundreds of its processes start fast. */
export function buildChild(): string {
  const entry = join(import.meta.dirname, 'crash-child.ts');
  const options = [
    '--bundle',
    '--splitting',
    '--platform=node',
    '--format=esm',
    '--packages=external',
    '--log-level=error',
  ];
  execFileSync(join(REPOSITORY, 'node_modules/.bin/esbuild'), [
    entry,
    ...options,
    `--outdir=${BUNDLE}`,
    '--out-extension:.js=.mjs',
  ]);
  return join(BUNDLE, 'crash-child.mjs');
}

export class CrashEnumerator {
  readonly #child: string;
  readonly #name: string;
  readonly #scenario: Scenario;
  readonly #folder: string;

  private constructor(child: string, name: string, scenario: Scenario) {
    this.#child = child;
    this.#name = name;
    this.#scenario = scenario;
    this.#folder = mkdtempSync(join(tmpdir(), 'kmc-crash-'));
  }

  /** Prepares a scenario of SCENARIOS. */
  static async prepare(child: string, name: string): Promise<CrashEnumerator> {
    const scenario = SCENARIOS[name];
    if (scenario === undefined) throw new Error(`no scenario ${name}`);
    const enumerator = new CrashEnumerator(child, name, scenario);
    mkdirSync(join(enumerator.#folder, 'template'));
    await scenario.prepare(new CrashSite(join(enumerator.#folder, 'template')));
    return enumerator;
  }

  /** The calls of an uncut run, in their order; the result of the run is checked as well. */
  async trace(): Promise<TracedCall[]> {
    const site = this.#freshSite('trace');
    const log = join(this.#folder, 'trace.log');
    const end = await this.#strace(site, ['-y', '-o', log]);
    if (end.code !== 0) throw new Error(`${this.#name} ended with ${String(end.code)} without any cut`);
    await this.#scenario.resume(new CrashSite(site));
    return parseTrace(readFileSync(log, 'latin1'), site);
  }

  /** Kills the process as it enters the call, goes on afterwards. @returns what is wrong then; nothing when all holds. */
  cutAt(call: TracedCall): Promise<string | undefined> {
    return this.#disturb(call, 'signal=SIGKILL', ({ signal }) => {
      // Writes that wake other threads come in varying numbers, so a write may be another one, or past the last.
      if (signal !== 'SIGKILL' && call.name !== 'write') throw new Error('the process was not cut');
    });
  }

  /**
   * Lets one fsync fail. The process must end as after a fatal error, without any further change, and what is there must
   * be good to go on with. @returns what is wrong; nothing when all holds.
   */
  failAt(call: TracedCall, errno: 'EIO' | 'ENOSPC'): Promise<string | undefined> {
    return this.#disturb(call, `error=${errno}`, ({ code }, calls) => {
      if (code !== FATAL_EXIT) throw new Error(`the process ended with ${String(code)}`);
      const after = calls.slice(calls.findIndex(({ point }) => point === call.point) + 1);
      const written = after.filter((each) => !isOfLock(each));
      if (written.length > 0)
        throw new Error(`after a failed fsync came ${written.map(({ point }) => point).join(', ')}`);
    });
  }

  async #disturb(
    { name, order, point }: TracedCall,
    fault: string,
    check: (end: ProcessEnd, calls: readonly TracedCall[]) => void,
  ): Promise<string | undefined> {
    const site = this.#freshSite(`${name}-${order}`); // strace writes "#" in another way
    const log = `${site}.log`;
    try {
      const end = await this.#strace(site, ['-y', '-o', log, `-einject=${name}:${fault}:when=${order}`]);
      check(end, parseTrace(readFileSync(log, 'latin1'), site));
      await this.#scenario.resume(new CrashSite(site));
      return undefined;
    } catch (error) {
      return `${this.#name} ${point}: ${error instanceof Error ? error.message : String(error)}`;
    } finally {
      rmSync(site, { recursive: true });
    }
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #freshSite(name: string): string {
    const site = join(this.#folder, name);
    cpSync(join(this.#folder, 'template'), site, { recursive: true });
    return site;
  }

  #strace(site: string, options: readonly string[]): Promise<ProcessEnd> {
    const program = [process.execPath, this.#child, this.#name, site];
    const env = { ...process.env, UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' };
    const child = spawn('strace', ['-qq', `-etrace=${CALLS.join(',')}`, ...options, ...program], {
      env,
      stdio: 'ignore',
    });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
  }
}

/** The calls of a trace that name something inside of `directory`, each with its place among the calls of its name. */
function parseTrace(log: string, directory: string): TracedCall[] {
  const counts = new Map<string, number>();
  return log.split('\n').flatMap((line) => {
    const [, name] = /^([a-z]+)\(/.exec(line) ?? [];
    if (name === undefined) return [];
    const order = (counts.get(name) ?? 0) + 1;
    counts.set(name, order);
    const paths = [...line.matchAll(/[<"](\/[^">]*)[>"]/g)].map(([, path]) => path ?? '');
    const inside = paths
      .filter((path) => path === directory || path.startsWith(`${directory}/`))
      .map((path) => path.slice(directory.length));
    return inside.length === 0 || line.includes(') = -1 EEXIST')
      ? []
      : [{ point: `${name}#${order}`, name, order, paths: inside }];
  });
}

/** Taking and giving back the lock: it means nothing after a loss of power, for claims name the boot. */
function isOfLock({ paths }: TracedCall): boolean {
  return paths.every((path) => path.includes('/.lock/'));
}

/**
 * What a loss of power could undo (kill keeps the page cache, a loss of power does not): a file that got its name before
 * its content was synced, and a directory that was not synced before the next file was written.
 */
export function powerLossFaults(calls: readonly TracedCall[]): string[] {
  const unsyncedFiles = new Set<string>();
  const unsyncedFolders = new Set<string>();
  const faults: string[] = [];
  for (const { name, point, paths } of calls.filter((call) => !isOfLock(call))) {
    const [path = '', target = path] = paths;
    if (name === 'write') {
      for (const folder of unsyncedFolders) faults.push(`${point}: ${folder} is not synced`);
      unsyncedFiles.add(path);
    } else if (name === 'fsync') {
      unsyncedFiles.delete(path);
      unsyncedFolders.delete(path);
    } else {
      if (unsyncedFiles.has(path)) faults.push(`${point}: ${path} is named before it is synced`);
      unsyncedFolders.add(target.slice(0, target.lastIndexOf('/')));
    }
  }
  for (const folder of unsyncedFolders) faults.push(`end: ${folder} is not synced`);
  return faults;
}
