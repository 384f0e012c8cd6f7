/**
 * The run-book of scripts/README.md, word by word: every block is run in one shell, in its order. `kmc` is a small client
 * there that lets this process run the command, so that dozens of commands take seconds; `kmc start` is a process.
 */
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { commands as admin } from '../../src/cli/admin.ts';
import { commands as approval } from '../../src/cli/approval.ts';
import { commands as ceremony } from '../../src/cli/ceremony.ts';
import { commands as check } from '../../src/cli/check.ts';
import { commands as request } from '../../src/cli/request.ts';
import { commands as seal } from '../../src/cli/seal.ts';
import { commands as status } from '../../src/cli/status.ts';
import { commands as unseal } from '../../src/cli/unseal.ts';
import type { Noun } from '../../src/cli/run-command.ts';
import { runKmc } from '../cli/run-kmc.ts';
import { bringLegacyEstate, LEGACY_PASSPHRASE } from '../flows/ceremonies/legacy-inputs.ts';
import { firstPeople, TEMPLATES } from '../flows/ceremonies/workshop.ts';

const REPOSITORY = join(import.meta.dirname, '../..');
const BOOK = readFileSync(join(REPOSITORY, 'scripts/README.md'), 'utf8');
const COMMANDS = { admin, approval, ceremony, check, request, seal, status, unseal };
const NOUNS: Readonly<Record<string, Noun>> = Object.fromEntries(
  Object.entries(COMMANDS).map(([noun, commands]) => [noun, { summary: noun, load: () => Promise.resolve(commands) }]),
);
/** Passes a command on, and prints what comes back; `start` becomes a process of its own. */
const CLIENT = `
import { connect } from 'node:net';
const socket = connect(process.env.KMC_TEST_SOCKET);
socket.end(JSON.stringify({ args: process.argv.slice(2), cwd: process.cwd() }));
let text = '';
for await (const part of socket) text += part;
const { code, out, err } = JSON.parse(text);
process.stdout.write(out);
process.stderr.write(err);
process.exitCode = code;
`;

/** The blocks of the run-book. */
function blocks(): string[] {
  const section = BOOK.slice(BOOK.indexOf('## Run-book'), BOOK.indexOf('\n## Ceremonies'));
  return [...section.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, block]) => block ?? '');
}

/** About two hundred commands: by `npm run test:run-book`, which `.ci/run` and the long run include. */
const IS_RUN = process.env['KMC_TEST_CRASH_POINTS'] === 'all';

(IS_RUN ? describe : describe.skip)('run-book', function runBook() {
  this.timeout(900_000);
  const folder = mkdtempSync(join(tmpdir(), 'kmc-run-book-'));
  const ran: string[][] = [];
  let server: Server;
  const origin = process.cwd();
  const environment = { ...process.env };

  before(async () => {
    for (const name of ['bin', 'inputs', 'people']) mkdirSync(join(folder, name));
    writeFileSync(join(folder, 'bin', 'client.mjs'), CLIENT);
    const program = join(REPOSITORY, 'src/main.ts');
    const loader = pathToFileURL(join(REPOSITORY, 'node_modules/tsx/dist/loader.mjs')).href;
    writeFileSync(
      join(folder, 'bin', 'kmc'),
      `#!/bin/sh\nif [ "$1" = start ]; then exec "${process.execPath}" --import "${loader}" "${program}" "$@"; fi\n` +
        `exec "${process.execPath}" "${join(folder, 'bin', 'client.mjs')}" "$@"\n`,
    );
    chmodSync(join(folder, 'bin', 'kmc'), 0o755);
    writeFileSync(join(folder, 'passphrase.txt'), 'a long passphrase for tests\n', { mode: 0o600 });
    writeFileSync(join(folder, 'legacy.txt'), LEGACY_PASSPHRASE, { mode: 0o600 });
    const lines = firstPeople().map((one) =>
      [one.id.replace(/^p-/, ''), one.id, one.name, one.unit, one.organisation].join(';'),
    );
    writeFileSync(join(folder, 'people.csv'), lines.map((line) => `${line}\n`).join(''));
    bringLegacyEstate({ root: folder, input: (name, bytes) => writeFileSync(join(folder, 'inputs', name), bytes) });
    copyFileSync(join(REPOSITORY, 'test/fixtures/manifest-body.json'), join(folder, 'inputs', 'manifest-body.json'));
    copyFileSync(join(REPOSITORY, 'package.json'), join(folder, 'package.json'));
    Object.assign(process.env, { KMC_HOME: join(folder, 'home'), KMC_PASSPHRASE_FILE: join(folder, 'passphrase.txt') });
    server = createServer({ allowHalfOpen: true }, (socket) => {
      let text = '';
      socket.on('data', (part) => (text += String(part)));
      socket.on('end', () => {
        const { args, cwd } = JSON.parse(text) as { args: string[]; cwd: string };
        ran.push(args);
        process.chdir(cwd);
        void runKmc(args, NOUNS).then(
          ({ code, out, err }) => socket.end(JSON.stringify({ code, out, err })),
          (error: unknown) => socket.end(JSON.stringify({ code: 70, out: '', err: String(error) })),
        );
      });
    });
    await new Promise<void>((resolve) => server.listen(join(folder, 'socket'), resolve));
  });
  after(() => {
    server.close();
    process.chdir(origin);
    for (const name of ['KMC_HOME', 'KMC_PASSPHRASE_FILE', 'KMC_URL']) {
      if (environment[name] === undefined) delete process.env[name];
      else process.env[name] = environment[name];
    }
    rmSync(folder, { recursive: true, force: true });
  });

  it('every command of it runs, and each ceremony is held', async () => {
    const [port, tls] = await freePorts();
    process.env['KMC_URL'] = `http://127.0.0.1:${port}`;
    const script = ['set -eu', ...blocks()].join('\n');
    const env = {
      ...process.env,
      PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
      T: TEMPLATES,
      KMC_TEST_SOCKET: join(folder, 'socket'),
      KMC_LISTEN: `127.0.0.1:${port}`,
      KMC_TLS_LISTEN: `127.0.0.1:${tls}`,
      NODE_PATH: join(REPOSITORY, 'node_modules'),
      TSX_TSCONFIG_PATH: join(REPOSITORY, 'tsconfig.json'),
    };
    const { code, text } = await shell(script, env);
    expect(code, text.slice(-3000)).to.equal(0);
    // Each kmc of the blocks stands in what was run: nothing is behind a condition that was false.
    const written = blocks()
      .join('\n')
      .matchAll(/(?:^|[|(]|do )\s*kmc ([a-z]+)(?: ([a-z-]+))?/gm);
    for (const [, noun = '', verb = ''] of written) {
      if (noun === 'start') continue;
      const isRun = ran.some(([first, second]) => first === noun && (verb === '' || second === verb || !isVerb(noun)));
      expect(isRun, `kmc ${noun} ${verb}`).to.equal(true);
    }
    const held = ran.filter(([noun, verb]) => noun === 'ceremony' && verb === 'close').map(([, , dir]) => dir);
    expect(held).to.deep.equal(
      [
        'kmc-init',
        'sm2-root',
        'sm2-issuing',
        'legacy-import',
        'sm2-links',
        'bundle-signing',
        'reshare',
        'destroy-root',
        'spare-root',
        'restore',
      ].map((name) => `ceremonies/${name}`),
    );
  });

  function isVerb(noun: string): boolean {
    return (
      (COMMANDS as Readonly<Record<string, readonly { verb: string }[]>>)[noun]?.some(({ verb }) => verb !== '') ===
      true
    );
  }

  function shell(script: string, env: NodeJS.ProcessEnv): Promise<{ code: number | null; text: string }> {
    const child = spawn('sh', ['-c', script], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (text += String(part)));
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, text }));
    });
  }
});

async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()];
  const ports = await Promise.all(
    servers.map(
      (one) =>
        new Promise<number>((resolve) => {
          one.listen(0, '127.0.0.1', () => {
            const address = one.address();
            resolve(typeof address === 'object' && address !== null ? address.port : 0);
          });
        }),
    ),
  );
  for (const one of servers) one.close();
  const [first = 0, second = 0] = ports;
  return [first, second];
}
