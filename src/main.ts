/** The composition root: every command of `kmc`, by noun. Nouns are loaded when they are asked for. */
import type { Io } from './cli/command.ts';
import { runCommand, type Noun, type Program } from './cli/run-command.ts';
import { PRODUCT_VERSION } from './main/product-version.ts';

const NOUNS: Readonly<Record<string, Noun>> = {
  init: { summary: 'make a new instance', load: async () => (await import('./main/init.ts')).commands },
  start: { summary: 'run the service', load: async () => (await import('./main/start.ts')).commands },
  status: { summary: 'what the service says of itself', load: async () => (await import('./cli/status.ts')).commands },
  unseal: { summary: "hand in a custodian's share", load: async () => (await import('./cli/unseal.ts')).commands },
  seal: { summary: 'seal the service', load: async () => (await import('./cli/seal.ts')).commands },
  check: {
    summary: 'check the invariants of an instance',
    load: async () => (await import('./cli/check.ts')).commands,
  },
  ceremony: { summary: 'key ceremonies', load: async () => (await import('./cli/ceremony.ts')).commands },
  admin: { summary: 'people and their keys', load: async () => (await import('./cli/admin.ts')).commands },
  request: { summary: 'acts that need approval', load: async () => (await import('./cli/request.ts')).commands },
  approval: {
    summary: 'look at, sign and verify approvals',
    load: async () => (await import('./cli/approval.ts')).commands,
  },
  ca: { summary: 'certification authorities', load: async () => (await import('./cli/ca.ts')).commands },
  cert: { summary: 'certificates', load: async () => (await import('./cli/cert.ts')).commands },
  device: { summary: 'devices and their enrolment', load: async () => (await import('./cli/device.ts')).commands },
  'root-upgrade': {
    summary: 'the upgrade of the root certificate, and how far the fleet has come',
    load: async () => (await import('./cli/root-upgrade.ts')).commands,
  },
  trust: { summary: 'trust bundles', load: async () => (await import('./cli/trust.ts')).commands },
  key: { summary: 'keys over their life', load: async () => (await import('./cli/key.ts')).commands },
  application: {
    summary: 'applications and what they are granted',
    load: async () => (await import('./cli/application.ts')).commands,
  },
  crypto: {
    summary: 'data under managed keys',
    load: async () => (await import('./cli/crypto.ts')).commands,
  },
  pool: { summary: 'pools of keys made ahead', load: async () => (await import('./cli/pool.ts')).commands },
  backup: {
    summary: 'backups, and restoring them',
    load: async () => (await import('./main/backup-commands.ts')).commands,
  },
  supervise: {
    summary: 'figures and reports of supervision',
    load: async () => (await import('./cli/supervise.ts')).commands,
  },
  console: { summary: 'the console in a browser', load: async () => (await import('./cli/console.ts')).commands },
  audit: { summary: 'the audit log', load: async () => (await import('./cli/audit.ts')).commands },
  'break-glass': {
    summary: 'stop things in an emergency, with two of three sealed accounts',
    load: async () => (await import('./cli/break-glass.ts')).commands,
  },
  policy: { summary: 'the policy files', load: async () => (await import('./cli/policy.ts')).commands },
};

const io: Io = {
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(`${text}\n`),
  isTerminal: process.stdout.isTTY && process.stdin.isTTY,
};

/** Any handler keeps Node from opening its inspector on this signal. */
process.on('SIGUSR1', () => undefined);

let close: (() => Promise<void>) | undefined;
const program: Program = {
  nouns: NOUNS,
  version: PRODUCT_VERSION,
  async contextOf(input, json) {
    const { createContext } = await import('./main/command-context.ts');
    const context = createContext(input, json, io);
    close = () => context.close();
    return context;
  },
};
process.exitCode = await runCommand(program, process.argv.slice(2), io);
await close?.();
