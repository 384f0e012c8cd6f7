/** Other processes for tests: second-process.ts, started as a program. */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly errors: string;
}

export interface RunningProcess {
  readonly process: ChildProcess;
  readonly ended: Promise<Ending>;
  /** Resolves when it has printed something. */
  readonly spoke: Promise<void>;
}

/** Starts a task of second-process.ts. */
export function startProcess(...args: string[]): RunningProcess {
  const script = fileURLToPath(new URL('second-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  const output: string[] = [];
  const errors: string[] = [];
  child.stderr.on('data', (part: Buffer) => errors.push(part.toString()));
  const spoke = new Promise<void>((resolve) => {
    child.stdout.on('data', (part: Buffer) => {
      output.push(part.toString());
      resolve();
    });
  });
  const ended = new Promise<Ending>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, output: output.join(''), errors: errors.join('') }));
  });
  return { process: child, ended, spoke };
}
