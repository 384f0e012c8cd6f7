/** The command line inside of the test's process: the commands, their context, and what they print. */
import { commands as admin } from '../../src/cli/admin.ts';
import { commands as approval } from '../../src/cli/approval.ts';
import { commands as audit } from '../../src/cli/audit.ts';
import { commands as backup } from '../../src/main/backup-commands.ts';
import { commands as breakGlass } from '../../src/cli/break-glass.ts';
import { commands as ca } from '../../src/cli/ca.ts';
import { commands as cert } from '../../src/cli/cert.ts';
import { commands as application } from '../../src/cli/application.ts';
import { commands as crypto } from '../../src/cli/crypto.ts';
import { commands as check } from '../../src/cli/check.ts';
import { commands as console } from '../../src/cli/console.ts';
import { commands as key } from '../../src/cli/key.ts';
import { commands as policy } from '../../src/cli/policy.ts';
import { commands as pool } from '../../src/cli/pool.ts';
import { commands as request } from '../../src/cli/request.ts';
import { commands as rootUpgrade } from '../../src/cli/root-upgrade.ts';
import { commands as seal } from '../../src/cli/seal.ts';
import { commands as status } from '../../src/cli/status.ts';
import { commands as supervise } from '../../src/cli/supervise.ts';
import { commands as unseal } from '../../src/cli/unseal.ts';
import type { Io } from '../../src/cli/command.ts';
import { runCommand, type Noun, type Program } from '../../src/cli/run-command.ts';
import { createContext, type ClosableContext } from '../../src/main/command-context.ts';

/** Imported as they stand: what `import()` loads inside of a test is another instance of every module. */
const COMMANDS = {
  admin,
  approval,
  audit,
  backup,
  'break-glass': breakGlass,
  ca,
  cert,
  check,
  console,
  key,
  policy,
  application,
  crypto,
  pool,
  request,
  'root-upgrade': rootUpgrade,
  seal,
  status,
  supervise,
  unseal,
};

export const NOUNS: Readonly<Record<string, Noun>> = Object.fromEntries(
  Object.entries(COMMANDS).map(([noun, commands]) => [noun, { summary: noun, load: () => Promise.resolve(commands) }]),
);

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
  const program: Program = {
    nouns,
    version: '1.2.3',
    contextOf: (input, json) => (context = createContext(input, json, io)),
  };
  const code = await runCommand(program, args, io);
  await context?.close();
  return {
    code,
    out: out.join(''),
    err: err.join(''),
    json: () => JSON.parse(out.join('')) as Record<string, unknown>,
  };
}
