/** The BouncyCastle program of this folder, compiled once for a run (Debian's libbcpkix-java and a JDK, where they are there). */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const JARS = ['bcprov', 'bcpkix', 'bcutil'].map((name) => `/usr/share/java/${name}.jar`);
const PROGRAM = join(import.meta.dirname, 'BouncyCastleCheck.java');

let there: boolean | undefined;
let classes: string | undefined;

process.once('exit', () => {
  if (classes !== undefined) rmSync(classes, { recursive: true, force: true });
});

export function isBouncyCastleThere(): boolean {
  there ??= JARS.every((jar) => existsSync(jar)) && spawnSync('javac', ['-version']).status === 0;
  return there;
}

function compiled(): string {
  if (classes !== undefined) return classes;
  classes = mkdtempSync(join(tmpdir(), 'kmc-bc-'));
  execFileSync('javac', ['-cp', JARS.join(':'), '-d', classes, PROGRAM], { stdio: 'pipe' });
  return classes;
}

/** What the program says; it runs beside this process, so that it may ask a service here. `ok` when all holds. */
export function bouncyCastle(...args: string[]): Promise<string> {
  const path = [compiled(), ...JARS].join(':');
  return new Promise((resolve) => {
    execFile('java', ['-cp', path, 'BouncyCastleCheck', ...args], (_error, stdout, stderr) => {
      resolve(stdout.trim() === 'ok' ? 'ok' : stderr);
    });
  });
}
