import { expect } from 'chai';
import { forEachDatabase } from './databases.ts';
import { winners } from './race.ts';

forEachDatabase('the instance', (fixture) => {
  it('has no entries and epoch 0 at first', async () => {
    const [id, epoch] = await fixture.database.read(async (reader) => [
      await reader.instance.get('instance-id'),
      await reader.instance.keystoreEpoch(),
    ]);
    expect(id).to.equal(undefined);
    expect(epoch).to.equal(0);
  });

  it('keeps the first value of an entry, whoever else sets one', async () => {
    const won = await winners(16, (racer) =>
      fixture.database.transaction((tx) => tx.instance.establish('instance-id', `kmc-${racer}`)),
    );
    expect(won).to.equal(1);
    const value = await fixture.database.read((reader) => reader.instance.get('instance-id'));
    expect(value).to.match(/^kmc-\d+$/);
  });

  it('replaces a value only by compare-and-set', async () => {
    await fixture.database.transaction((tx) => tx.instance.establish('policy-digest', 'sm3:0'));
    const won = await winners(8, (racer) =>
      fixture.database.transaction((tx) => tx.instance.replace('policy-digest', 'sm3:0', `sm3:${racer + 1}`)),
    );
    expect(won).to.equal(1);
    expect(await fixture.database.transaction((tx) => tx.instance.replace('policy-digest', 'sm3:0', 'sm3:9'))).to.equal(
      false,
    );
  });

  it('raises the epoch of the keystore one by one', async () => {
    const won = await winners(8, () => fixture.database.transaction((tx) => tx.instance.advanceKeystoreEpoch(0)));
    expect(won).to.equal(1);
    expect(await fixture.database.read((reader) => reader.instance.keystoreEpoch())).to.equal(1);
  });
});
