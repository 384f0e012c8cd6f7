import { expect } from 'chai';
import { scanEscrowedKeys } from '../../../src/flows/keys/scan-escrowed-keys.ts';
import { refillPool } from '../../../src/flows/pools/refill-pool.ts';
import { SYSTEM, testInstance, withPool } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { recordEvent } from '../../store/rows.ts';

forEachDatabase('the scan of the escrow', (fixture) => {
  const test = testInstance(fixture);

  it('goes round all keys in rounds, tells of a broken one once, and forgets it when it opens again', async () => {
    const { instance } = test();
    await refillPool(withPool(instance, { batch: 20 }), SYSTEM, { pool: 'sm2-encryption' });
    const keys = await test().database.read((reader) => reader.escrowedKeys.list({}, { limit: 1000 }));
    const [first, second] = keys;
    if (first?.sealedKey === undefined || second?.sealedKey === undefined) throw new Error('there are no keys');
    const put = async (blob: Buffer): Promise<void> => {
      const event = await recordEvent(fixture);
      const statement = 'update escrowed_keys set sealed_key = ?, last_audit_event = ? where id = ?';
      await fixture.sql(statement, [blob, event, second.id]);
    };
    const flipped = Buffer.from(second.sealedKey);
    flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
    await put(flipped);
    expect(await scanEscrowedKeys(instance, 12)).to.deep.equal({ checked: 12, broken: [second.id] });
    expect(await scanEscrowedKeys(instance, 12)).to.deep.equal({ checked: keys.length - 12, broken: [] });
    // Round again: known faults are seen, and not told twice.
    expect((await scanEscrowedKeys(instance, 1000)).broken).to.deep.equal([second.id]);
    const told = async (): Promise<string[]> => (await test().history('key', second.id)).map(({ act }) => act);
    expect(await told()).to.deep.equal(['key.broken']);
    expect(await test().database.read((reader) => reader.keyFaults.count())).to.equal(1);
    // The blob of another key is no better than a damaged one.
    await put(first.sealedKey);
    expect((await scanEscrowedKeys(instance, 1000)).broken).to.deep.equal([second.id]);
    await put(second.sealedKey);
    expect(await scanEscrowedKeys(instance, 1000)).to.deep.equal({ checked: keys.length, broken: [] });
    expect(await told()).to.deep.equal(['key.broken', 'key.restore']);
    expect(await test().database.read((reader) => reader.keyFaults.count())).to.equal(0);
  });
});
