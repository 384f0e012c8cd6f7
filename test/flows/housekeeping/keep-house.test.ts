import { expect } from 'chai';
import { KeyUseTally } from '../../../src/domain/key-use-tally.ts';
import { RefusalTally } from '../../../src/domain/audit/refusals.ts';
import { keepHouse } from '../../../src/flows/housekeeping/keep-house.ts';
import type { Database, Reader, Transaction } from '../../../src/flows/ports/database.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';

/** The database, but what its transactions can do goes through `fault`. */
function breaking(database: Database, fault: (tx: Transaction) => Transaction): Database {
  return {
    read: (work) => database.read(work),
    snapshot: (work) => database.snapshot(work),
    transaction: (work) => database.transaction((tx) => work(fault(tx))),
  };
}

forEachDatabase('keepHouse', (fixture) => {
  const test = testInstance(fixture);
  const keep = (database?: Database) => {
    const { instance } = test();
    return keepHouse({
      ...instance,
      tally: new RefusalTally(),
      uses: new KeyUseTally(),
      handlers: {},
      ...(database === undefined ? {} : { database }),
    });
  };
  const crlOf = (id: string) => test().database.read((reader) => reader.crls.latest(id, 'complete'));

  it('does everything without fault', async () => {
    expect(await keep()).to.deep.equal([]);
    expect((await crlOf('sm2-issuing'))?.number).to.equal(1n);
  });

  it('does the other jobs when one fails, and tells which', async () => {
    const nonces = { purge: () => Promise.reject(new RangeError('planted')) };
    const database = breaking(test().database, (tx) => Object.assign(Object.create(tx), { nonces }) as Transaction);
    const failed = await keep(database);
    expect(failed.map(({ job }) => job)).to.deep.equal(['purge-nonces']);
    expect(failed[0]?.cause).to.be.instanceOf(RangeError);
    expect((await crlOf('sm2-issuing'))?.number).to.equal(1n);
  });

  it('looks for open requests that another policy has overtaken', async () => {
    const list = () => Promise.reject(new RangeError('planted'));
    const { database } = test();
    const failed = await keep({
      transaction: (work) => database.transaction(work),
      snapshot: (work) => database.snapshot(work),
      read: (work) =>
        database.read((reader) => {
          const requests: Reader['requests'] = {
            find: (id) => reader.requests.find(id),
            findByDigest: (digest) => reader.requests.findByDigest(digest),
            overdue: (at, limit) => reader.requests.overdue(at, limit),
            stuck: (since, limit) => reader.requests.stuck(since, limit),
            list: (filter, page) => (filter.state === 'OPEN' ? list() : reader.requests.list(filter, page)),
          };
          return work(Object.assign(Object.create(reader), { requests }) as Reader);
        }),
    });
    expect(failed.map(({ job }) => job)).to.deep.equal(['supersede-requests']);
  });

  it('leaves out what needs keys while the keystore is sealed', async () => {
    test().instance.keystore.seal();
    expect(await keep()).to.deep.equal([]);
    expect(await crlOf('sm2-issuing')).to.equal(undefined);
  });
});
