import { expect } from 'chai';
import type { Transaction } from '../../src/flows/ports/database.ts';
import { openDatabase } from '../../src/store/database.ts';
import { counterValue, raiseCounter } from './counter.ts';
import { forEachDatabase } from './databases.ts';
import { startProcess } from './processes.ts';
import { refusal, winners } from './race.ts';
import { AT, authority, certificate, person, recordEvent, request } from './rows.ts';

forEachDatabase('a transaction', (fixture) => {
  const exists = (id: string): Promise<boolean> =>
    fixture.database.read(async ({ people }) => (await people.find(id)) !== undefined);

  it('is there for every process once it has returned, and reads what it wrote', async () => {
    const other = await fixture.open();
    const result = await fixture.database.transaction(async (tx) => {
      await tx.people.insert(person('p-1'));
      expect(await tx.people.find('p-1')).to.include({ id: 'p-1' });
      expect(await other.read(({ people }) => people.find('p-1')), 'before the commit').to.equal(undefined);
      return 'result';
    });
    expect(result).to.equal('result');
    expect(await other.read(({ people }) => people.find('p-1'))).to.include({ id: 'p-1' });
  });

  it('leaves nothing when its work throws, and passes the error on', async () => {
    const reason = new Error('no');
    const work = async (tx: Transaction): Promise<void> => {
      await tx.people.insert(person('p-1'));
      throw reason;
    };
    const error: unknown = await fixture.database.transaction(work).catch((thrown: unknown) => thrown);
    expect(error).to.equal(reason);
    expect(await exists('p-1')).to.equal(false);
  });

  it('leaves nothing after a failed statement, even when the work goes on', async () => {
    const swallowed = fixture.database.transaction(async (tx) => {
      await tx.people.insert(person('p-1'));
      await tx.people.grantRole('p-unknown', { role: 'auditor' }, AT).catch(() => false);
      await tx.people.insert(person('p-2')).catch(() => false);
      return 'done';
    });
    await refusal('E_CONFLICT', swallowed);
    expect([await exists('p-1'), await exists('p-2')]).to.deep.equal([false, false]);
  });

  it('runs its statements one after another, whatever the work awaits', async () => {
    await fixture.database.transaction(async (tx) => {
      const inserts = Array.from({ length: 20 }, (_, number) => tx.people.insert(person(`p-${number}`)));
      expect(await Promise.all(inserts)).to.not.include(false);
      expect(await tx.people.list({ limit: 100 })).to.have.length(20);
    });
    const failing = fixture.database.transaction((tx) =>
      Promise.all([
        tx.people.grantRole('p-unknown', { role: 'auditor' }, AT),
        tx.people.insert(person('p-late')),
        tx.people.insert(person('p-later')),
      ]),
    );
    await refusal('E_CONFLICT', failing);
    expect([await exists('p-late'), await exists('p-later')]).to.deep.equal([false, false]);
  });

  it('is of no use after its end', async () => {
    let kept: Transaction | undefined;
    await fixture.database.transaction((tx) => {
      kept = tx;
      return Promise.resolve();
    });
    await refusal('E_INTERNAL', kept?.people.insert(person('p-1')) ?? Promise.resolve());
    expect(await exists('p-1')).to.equal(false);
  });

  it('is not spoilt by others that come at the same time and fail in all ways', async () => {
    const event = await recordEvent(fixture);
    const outcomes = await Promise.all(
      Array.from({ length: 60 }, (_, number) =>
        fixture.database
          .transaction(async (tx) => {
            await tx.people.insert(person(`p-${number}`));
            if (number % 4 === 1) throw new Error('the work');
            if (number % 4 === 2) await tx.people.grantRole('p-unknown', { role: 'auditor' }, AT);
            if (number % 20 === 3) await tx.requests.insert(request(`rq-${number}`, 'ev-missing'));
            else await tx.requests.insert(request(`rq-${number}`, event));
          })
          .then(
            () => 'stored',
            (error: Error & { code?: string }) => error.code ?? error.message,
          ),
      ),
    );
    const expected = outcomes.map((_, number) => {
      if (number % 4 === 1) return 'the work';
      if (number % 4 === 2) return 'E_CONFLICT';
      return number % 20 === 3 ? 'E_AUDIT' : 'stored';
    });
    expect(outcomes).to.deep.equal(expected);
    const stored = await fixture.database.read(({ people }) => people.list({ limit: 100 }));
    expect(stored.map(({ id }) => id).sort()).to.deep.equal(
      outcomes.flatMap((outcome, number) => (outcome === 'stored' ? [`p-${number}`] : [])).sort(),
    );
  });

  it('counts right under 8 racers that read, check and write', async () => {
    const losses = await Promise.all(Array.from({ length: 8 }, () => raiseCounter(fixture.database)));
    expect(await counterValue(fixture.database)).to.equal(8);
    // On SQLite nobody reads before it has the writer's lock, so nobody ever loses.
    if (fixture.engine === 'sqlite') expect(losses.every((lost) => lost === 0)).to.equal(true);
  });

  it('counts right in three processes, and none of them starves', async function processes() {
    this.timeout(60_000);
    const others = [startProcess('count', fixture.url, '15'), startProcess('count', fixture.url, '15')];
    const through = Promise.all(others.map((other) => other.ended)).then(() => true);
    let own = 0;
    // Transactions without a pause, until the others are through.
    while (!(await Promise.race([through, Promise.resolve(false)]))) {
      await Promise.all(Array.from({ length: 4 }, () => raiseCounter(fixture.database)));
      own += 4;
    }
    const endings = await Promise.all(others.map((other) => other.ended));
    for (const { code, errors, output } of endings) {
      expect(code, errors).to.equal(0);
      expect(Number(output), 'slowest transaction in milliseconds').to.be.lessThan(5000);
    }
    expect(await counterValue(fixture.database)).to.equal(30 + own);
  });

  it('leaves nothing when its process is killed', async function killed() {
    this.timeout(60_000);
    const ending = await startProcess('die', fixture.url).ended;
    expect(ending.signal, ending.errors).to.equal('SIGKILL');
    expect(await exists('p-lost')).to.equal(false);
    expect(await winners(1, () => fixture.database.transaction((tx) => tx.people.insert(person('p-lost'))))).to.equal(
      1,
    );
  });

  it('does not take values for SQL', async () => {
    const names = ["x'); drop table people; --", '? $1 :a @b', '"quoted" `name`', '\\', '%_', 'ü汉\u{1f511}'];
    for (const [number, name] of names.entries()) {
      await fixture.database.transaction((tx) => tx.people.insert(person(`p-${number}`, { name })));
      const found = await fixture.database.read(({ people }) => people.find(`p-${number}`));
      expect(found?.name).to.equal(name);
    }
  });
});

forEachDatabase('a read', (fixture) => {
  it('as a snapshot sees one moment, whatever is committed meanwhile', async () => {
    const moments = await fixture.database.snapshot(async ({ people }) => {
      const before = await people.list({ limit: 10 });
      await fixture.database.transaction((tx) => tx.people.insert(person('p-1')));
      return [before.length, (await people.list({ limit: 10 })).length];
    });
    expect(moments).to.deep.equal([0, 0]);
    const steps = await fixture.database.read(async ({ people }) => {
      const before = await people.list({ limit: 10 });
      await fixture.database.transaction((tx) => tx.people.insert(person('p-2')));
      return [before.length, (await people.list({ limit: 10 })).length];
    });
    expect(steps).to.deep.equal([1, 2]);
  });

  it('does not wait for a writer', async () => {
    await fixture.database.transaction(async (tx) => {
      await tx.people.insert(person('p-1'));
      expect(await fixture.database.read(({ people }) => people.list({ limit: 10 }))).to.deep.equal([]);
      await fixture.database.ping();
    });
  });

  it('finds many rows in many parts', async () => {
    const event = await recordEvent(fixture);
    const rows = Array.from({ length: 3000 }, (_, number) =>
      certificate(`c-${String(number).padStart(4, '0')}`, 'ca-1', event),
    );
    await fixture.database.transaction(async (tx) => {
      await tx.authorities.insert(authority('ca-1'));
      await tx.certificates.insertAll(rows);
    });
    const found: string[] = [];
    for (let after = ''; ;) {
      const page = { limit: 1000, ...(after === '' ? {} : { after }) };
      const part = await fixture.database.read(({ certificates }) => certificates.list({}, page));
      if (part.length === 0) break;
      found.push(...part.map(({ id }) => id));
      after = found.at(-1) ?? '';
    }
    expect(found).to.deep.equal(rows.map(({ id }) => id));
  });

  it('reports a value that is not of the schema', async () => {
    await fixture.database.transaction((tx) => tx.people.insert(person('p-1')));
    await fixture.sql("update people set created_at = 'yesterday'");
    await refusal(
      'E_INTEGRITY',
      fixture.database.read(({ people }) => people.find('p-1')),
    );
  });
});

forEachDatabase('opening a database', (fixture) => {
  it('migrates an empty one once, whoever comes first of two processes', async function twoProcesses() {
    this.timeout(60_000);
    if (fixture.engine === 'postgresql') await fixture.sql('drop schema public cascade; create schema public');
    const url = fixture.engine === 'sqlite' ? `${fixture.url}-new` : fixture.url;
    const endings = await Promise.all([startProcess('open', url).ended, startProcess('open', url).ended]);
    for (const { code, errors } of endings) expect(code, errors).to.equal(0);
    const database = await openDatabase({ url });
    expect(await database.transaction((tx) => tx.instance.establish('instance-id', 'x'))).to.equal(true);
    await database.close();
  });

  it('is refused when a newer version wrote it', async () => {
    await fixture.sql("insert into schema_migrations (name, batch) values ('999-from-the-future', 9)");
    const error = await refusal('E_CONFIG', fixture.open());
    expect(error.message).to.match(/newer version/);
  });

  it('ends with what is under way', async () => {
    const inserts = Array.from({ length: 5 }, (_, number) =>
      fixture.database.transaction((tx) => tx.people.insert(person(`p-${number}`))),
    );
    const reads = Array.from({ length: 5 }, () => fixture.database.read(({ people }) => people.holders('auditor')));
    await Promise.all([fixture.database.close(), ...inserts, ...reads]);
    const again = await fixture.open();
    expect(await again.read(({ people }) => people.list({ limit: 9 }))).to.have.length(5);
  });

  it('is possible many times at once, and again', async () => {
    await Promise.all(Array.from({ length: 4 }, () => fixture.open()));
    await fixture.database.close();
    const again = await fixture.open();
    await again.ping();
    await fixture.database.close();
    await refusal('E_STORAGE', fixture.database.ping());
    await refusal(
      'E_STORAGE',
      fixture.database.transaction((tx) => tx.people.insert(person('p-1'))),
    );
  });
});
