/** Throw-away PostgreSQL servers for tests: own folder, own port, killed and removed at the end, also after a crash. */
import { spawn, spawnSync, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const DEBIAN_ROOT = '/usr/lib/postgresql';
const START_LIMIT_MS = 20_000;
/** initdb and postgres refuse to run as root. */
const UNPRIVILEGED_USERS = ['postgres', 'nobody'];

export interface PostgresServer {
  /** The server itself, a direct child: a killed one leaves no unreaped process (security-and-faults T13). */
  readonly process: ChildProcess;
  /** Address of the database with that name. */
  url(database: string): string;
  /** Starts it again in its folder after it was killed. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** The folder with `initdb` and `postgres`: on the PATH, or the newest of Debian's. */
export function findPostgres(): string | undefined {
  const debian = existsSync(DEBIAN_ROOT)
    ? readdirSync(DEBIAN_ROOT)
        .sort((a, b) => Number(b) - Number(a))
        .map((version) => join(DEBIAN_ROOT, version, 'bin'))
    : [];
  const folders = [...debian, ...(process.env['PATH'] ?? '').split(delimiter)];
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
}

/** Makes a cluster and starts it. `settings` are `name=value` beyond the standard ones. */
export async function startPostgres(programs: string, settings: readonly string[] = []): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'kmc-pg-'));
  const identity = unprivileged();
  if (identity.uid !== undefined && identity.gid !== undefined) chownSync(folder, identity.uid, identity.gid);
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true });
  process.once('exit', removeFolder);
  const data = join(folder, 'data');
  const port = await freePort();
  run(
    join(programs, 'initdb'),
    ['-D', data, '-U', 'kmc', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    identity,
  );

  const start = async (): Promise<ChildProcess> => {
    const server = spawn(join(programs, 'postgres'), serverArguments(data, folder, port, settings), {
      ...identity,
      cwd: folder,
      stdio: 'ignore',
    });
    process.once('exit', () => server.kill('SIGKILL'));
    await answering(programs, folder, port, server);
    return server;
  };
  let server = await start();
  const watcher = removeAfterDeath(server, folder);

  return {
    get process() {
      return server;
    },
    url: (database) => `postgres://kmc@localhost:${port}/${database}?host=${encodeURIComponent(folder)}`,
    restart: async () => {
      await ended(server);
      server = await start();
    },
    stop: async () => {
      watcher.kill('SIGKILL');
      server.kill('SIGQUIT');
      await ended(server);
      removeFolder();
    },
  };
}

function serverArguments(data: string, sockets: string, port: number, settings: readonly string[]): string[] {
  const standard = [
    'listen_addresses=127.0.0.1',
    'fsync=on',
    'synchronous_commit=on',
    'max_connections=120',
    'shared_buffers=32MB',
    'autovacuum=off',
    // Fewer octets for each fresh database; the last record of a page still goes to the disk at every commit.
    'wal_level=minimal',
    'max_wal_senders=0',
  ];
  return ['-D', data, '-k', sockets, '-p', String(port), ...[...standard, ...settings].flatMap((item) => ['-c', item])];
}

/** Kills the server and removes its folder when this process ends without doing so itself. */
function removeAfterDeath(server: ChildProcess, folder: string): ChildProcess {
  const script = 'cat >/dev/null; kill -QUIT "$1" 2>/dev/null; sleep 1; rm -rf "$2"';
  const watcher = spawn('sh', ['-c', script, 'sh', String(server.pid), folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watcher.unref();
  return watcher;
}

async function answering(programs: string, folder: string, port: number, server: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS;
  while (server.exitCode === null && Date.now() < deadline) {
    const ready = spawnSync(join(programs, 'pg_isready'), ['-q', '-h', folder, '-p', String(port)]);
    if (ready.status === 0) return;
    await delay(50);
  }
  throw new Error('The test server of PostgreSQL did not start.');
}

async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  await new Promise((resolve) => server.once('exit', resolve));
}

function run(program: string, args: string[], identity: SpawnOptions): void {
  const { status, stderr } = spawnSync(program, args, {
    uid: identity.uid,
    gid: identity.gid,
    cwd: '/',
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`initdb failed: ${stderr}`);
}

function unprivileged(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  for (const user of UNPRIVILEGED_USERS) {
    const uid = idOf('-u', user);
    const gid = idOf('-g', user);
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody.');
}

function idOf(option: '-u' | '-g', user: string): number | undefined {
  const { status, stdout } = spawnSync('id', [option, user], { encoding: 'utf8' });
  return status === 0 ? Number(stdout) : undefined;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('No free port.');
  return address.port;
}
