/** Peers that are programs of their own: BouncyCastle where there are a JDK and its jars, and the openssl program. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { RatedPeer } from './harness.ts';

const SOURCE = fileURLToPath(new URL('BouncyCastlePeer.java', import.meta.url));
const JARS = ['bcprov', 'bcpkix', 'bcutil'].map((name) => `/usr/share/java/${name}.jar`);
const WARM_UP_MS = 3_000;

export type BouncyCastleOperation = 'sign' | 'verify' | 'keygen' | 'encrypt' | 'decrypt' | 'certificate';

interface Started {
  readonly child: ChildProcess;
  readonly orders: Writable;
  readonly lines: Interface;
}

let started: Started | undefined;

function start(): Started {
  const child = spawn('java', ['-cp', JARS.join(':'), SOURCE], { stdio: ['pipe', 'pipe', 'ignore'] });
  return { child, orders: child.stdin, lines: createInterface(child.stdout) };
}

function hasBouncyCastle(): boolean {
  return JARS.slice(0, 2).every((jar) => existsSync(jar)) && spawnSync('javac', ['-version']).status === 0;
}

function ask(operation: BouncyCastleOperation, milliseconds: number): Promise<number> {
  const { child, orders, lines } = (started ??= start());
  return new Promise((resolve, reject) => {
    const onExit = (): void => reject(new Error('BouncyCastle ended'));
    child.once('exit', onExit);
    lines.once('line', (line) => {
      child.off('exit', onExit);
      resolve(Number(line));
    });
    orders.write(`${operation} ${milliseconds}\n`);
  });
}

/** BouncyCastle as a peer of one operation, its compiler warmed up; nothing where it is not to be had. */
export async function bouncyCastle(operation: BouncyCastleOperation): Promise<Record<string, RatedPeer>> {
  if (!hasBouncyCastle()) return {};
  await ask(operation, WARM_UP_MS);
  return { bouncycastle: { rate: (milliseconds) => ask(operation, milliseconds) } };
}

/** `openssl speed sm2` as a peer; nothing without the program, or when it cannot do that. */
export function opensslSpeed(operation: 'sign' | 'verify'): Record<string, RatedPeer> {
  const { stdout } = spawnSync('openssl', ['speed', '-seconds', '1', 'sm2'], { encoding: 'utf8' });
  const figures = /SM2.*?s\s+[\d.]+s\s+([\d.]+)\s+([\d.]+)/.exec(stdout ?? '');
  const perSecond = Number(figures?.[operation === 'sign' ? 1 : 2]);
  return perSecond > 0 ? { openssl: { rate: () => Promise.resolve(perSecond) } } : {};
}

/** Ends what was started. */
export function closePrograms(): void {
  started?.child.kill();
}
