import { createServer, connect, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { expect } from 'chai';
import { openDatabase, type KmcDatabase } from '../../src/store/database.ts';
import { findPostgres, startPostgres, type PostgresServer } from './postgres-server.ts';
import { refusal } from './race.ts';
import { person } from './rows.ts';

describe('a PostgreSQL server', function faults() {
  this.timeout(60_000);
  let server: PostgresServer;
  let database: KmcDatabase;

  before(async function start() {
    const programs = findPostgres();
    if (programs === undefined && process.env['CI'] === 'true') throw new Error('PostgreSQL is missing, and CI=true.');
    if (programs === undefined) this.skip();
    else server = await startPostgres(programs);
  });
  after(() => server?.stop());
  beforeEach(async () => {
    database = await openDatabase({ url: server.url('postgres'), connections: 4 });
  });
  afterEach(() => database.close());

  const insert = (id: string): Promise<boolean> => database.transaction((tx) => tx.people.insert(person(id)));
  const found = (id: string): Promise<boolean> =>
    database.read(async ({ people }) => (await people.find(id)) !== undefined);

  it('that would lose what it confirmed is refused', async () => {
    const url = (option: string): string => `${server.url('postgres')}&options=${encodeURIComponent(option)}`;
    for (const setting of ['off', 'local', 'remote_write']) {
      const error = await refusal('E_CONFIG', openDatabase({ url: url(`-c synchronous_commit=${setting}`) }));
      expect(error.message).to.match(/synchronous_commit/);
    }
    await (await openDatabase({ url: url('-c synchronous_commit=remote_apply') })).close();
  });

  it('that cannot be reached is E_STORAGE within 3 s', async () => {
    const start = performance.now();
    await refusal('E_STORAGE', openDatabase({ url: 'postgres://kmc@127.0.0.1:1/kmc' }));
    expect(performance.now() - start).to.be.lessThan(3_000);
  });

  it('settles a deadlock: both transactions are stored', async () => {
    await database.transaction(async ({ instance }) => {
      await instance.establish('environment', 'a');
      await instance.establish('policy-digest', 'a');
    });
    const runs = { first: 0, second: 0 };
    let met: () => void = () => undefined;
    const bothInside = new Promise<void>((resolve) => (met = resolve));
    const inside = async (): Promise<void> => {
      if (runs.first > 0 && runs.second > 0) met();
      await bothInside;
    };
    await Promise.all([
      database.transaction(async ({ instance }) => {
        await instance.replace('environment', 'a', 'a');
        runs.first += 1;
        await inside();
        expect(await instance.replace('policy-digest', 'a', 'a')).to.equal(true);
      }),
      database.transaction(async ({ instance }) => {
        await instance.replace('policy-digest', 'a', 'a');
        runs.second += 1;
        await inside();
        expect(await instance.replace('environment', 'a', 'a')).to.equal(true);
      }),
    ]);
    // One of them ran again; both do when the server notices the deadlock from both sides at once.
    expect(runs.first + runs.second).to.be.greaterThan(2);
  });

  it('that ends a connection inside of a transaction leaves nothing of it', async () => {
    const cut = database.transaction(async (tx) => {
      await tx.people.insert(person('p-cut'));
      await terminateOthers(server);
      await tx.people.insert(person('p-after'));
    });
    await refusal('E_STORAGE', cut);
    expect([await found('p-cut'), await found('p-after')]).to.deep.equal([false, false]);
    expect(await insert('p-cut')).to.equal(true);
  });

  it('that is lost after it was sent a commit makes the outcome unknown, and says so', async () => {
    const proxy = await CommitEater.before(server);
    const through = await openDatabase({ url: proxy.url, connections: 1 });
    proxy.eat = true;
    const error = await refusal(
      'E_STORAGE',
      through.transaction((tx) => tx.people.insert(person('p-unknown'))),
    );
    expect(error.message).to.match(/may or may not stand.*idempotency key/);
    expect(await found('p-unknown'), 'the server had it').to.equal(true);
    proxy.eat = false;
    expect(
      await through.read(async ({ people }) => (await people.find('p-unknown'))?.id),
      'on a new connection',
    ).to.equal('p-unknown');
    await through.close();
    await proxy.close();
  });

  it('that is killed is E_STORAGE within 3 s, and is used again without a new start of ours', async () => {
    expect(await insert('p-durable')).to.equal(true);
    server.process.kill('SIGKILL');
    await once(server.process, 'exit');
    const start = performance.now();
    const attempts = Array.from({ length: 12 }, (_, number) => refusal('E_STORAGE', insert(`p-lost-${number}`)));
    await Promise.all([...attempts, refusal('E_STORAGE', database.ping())]);
    expect(performance.now() - start).to.be.lessThan(3_000);
    await server.restart();
    await database.ping();
    expect(await insert('p-again')).to.equal(true);
    expect(await found('p-durable')).to.equal(true);
  });
});

async function terminateOthers(server: PostgresServer): Promise<void> {
  const { default: knexLibrary } = await import('knex');
  const admin = knexLibrary({ client: 'pg', connection: server.url('postgres'), pool: { min: 0, max: 1 } });
  await admin.raw("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'kmc'");
  await admin.destroy();
}

/** A proxy that hands a COMMIT on and cuts the line before the answer comes back. */
class CommitEater {
  eat = false;
  readonly url: string;
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();

  static async before(server: PostgresServer): Promise<CommitEater> {
    const listener = createServer();
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return new CommitEater(server, listener);
  }

  private constructor(server: PostgresServer, listener: Server) {
    const address = listener.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const target = new URL(server.url('postgres'));
    this.url = `postgres://kmc@127.0.0.1:${port}/postgres`;
    this.#listener = listener;
    listener.on('connection', (client) => {
      const upstream = connect(Number(target.port), '127.0.0.1');
      let cutting = false;
      client.on('data', (part) => {
        if (this.eat && part.includes('COMMIT')) cutting = true;
        upstream.write(part);
      });
      upstream.on('data', (part) => {
        if (cutting) client.destroy();
        else client.write(part);
      });
      for (const [one, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(one);
        one.on('error', () => other.destroy());
        one.on('close', () => other.destroy());
      }
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#listener.close();
    await once(this.#listener, 'close');
  }
}
