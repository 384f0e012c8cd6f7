/** The command line inside of the test's process: the commands, their context, and what they print. */
import type { Io } from '../../src/cli/command.ts';
import { runCommand, type Noun } from '../../src/cli/run-command.ts';
import { createContext, type ClosableContext } from '../../src/main/command-context.ts';

const load = (
  commands: () => Promise<
    Pick<Awaited<ReturnType<Noun['load']>>, never> & { commands: Awaited<ReturnType<Noun['load']>> }
  >,
) => ({
  summary: '',
  load: async () => (await commands()).commands,
});

export const NOUNS: Readonly<Record<string, Noun>> = {
  approval: load(() => import('../../src/cli/approval.ts')),
  audit: load(() => import('../../src/cli/audit.ts')),
  ca: load(() => import('../../src/cli/ca.ts')),
  cert: load(() => import('../../src/cli/cert.ts')),
  check: load(() => import('../../src/cli/check.ts')),
  policy: load(() => import('../../src/cli/policy.ts')),
  request: load(() => import('../../src/cli/request.ts')),
  seal: load(() => import('../../src/cli/seal.ts')),
  status: load(() => import('../../src/cli/status.ts')),
  unseal: load(() => import('../../src/cli/unseal.ts')),
};

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Everything on standard output as one JSON value; throws when it is not. */
  json(): Record<string, unknown>;
}

/** Runs one command line. */
export async function runKmc(args: readonly string[], nouns = NOUNS): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const io: Io = { out: (text) => out.push(`${text}\n`), err: (text) => err.push(`${text}\n`), isTerminal: false };
  let context: ClosableContext | undefined;
  const code = await runCommand(nouns, args, io, (input, json) => (context = createContext(input, json, io)));
  await context?.close();
  return {
    code,
    out: out.join(''),
    err: err.join(''),
    json: () => JSON.parse(out.join('')) as Record<string, unknown>,
  };
}
