import { expect } from 'chai';
import { forEachDatabase } from './databases.ts';
import { refusal, winners } from './race.ts';
import { device, later } from './rows.ts';

forEachDatabase('devices', (fixture) => {
  it('come back as they were registered', async () => {
    const row = device('d-1', { firmware: '1.2', alternativeNames: '[{"type":"dns","value":"gw.example"}]' });
    await fixture.database.transaction(async ({ devices }) => {
      expect(await devices.insert(row)).to.equal(true);
      expect(await devices.find('d-1'), 'inside of the transaction').to.deep.equal(row);
    });
    await fixture.database.read(async ({ devices }) => {
      expect(await devices.find('d-1')).to.deep.equal(row);
      expect(await devices.findBySerial('vendor', 'serial-d-1')).to.deep.equal(row);
      expect(await devices.findByKey('sm3:key')).to.equal(undefined);
    });
  });

  it('are registered once, by id and by the serial of their vendor', async () => {
    const register = (id: string, serial: string): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.devices.insert(device(id, { serial })));
    expect(await winners(16, (racer) => register(`d-${racer}`, 'same'))).to.equal(1);
  });

  it('come in batches, whole or not at all', async () => {
    const batch = Array.from({ length: 120 }, (_, number) => device(`d-${number}`));
    await fixture.database.transaction((tx) => tx.devices.insertAll(batch));
    const again = [device('d-new'), ...batch.slice(60, 62)];
    await refusal(
      'E_CONFLICT',
      fixture.database.transaction((tx) => tx.devices.insertAll(again)),
    );
    await fixture.database.read(async ({ devices }) => {
      expect(await devices.find('d-new')).to.equal(undefined);
      expect(await devices.list({}, { limit: 1000 })).to.have.length(120);
      expect(await devices.counts()).to.deep.equal([
        { region: '110000', kind: 'gateway', status: 'registered', count: 120 },
      ]);
    });
  });

  it('are listed by region, status and kind', async () => {
    await fixture.database.transaction(async ({ devices }) => {
      await devices.insert(device('d-1'));
      await devices.insert(device('d-2', { region: '650000' }));
      await devices.insert(device('d-3', { region: '650000', kind: 'terminal', status: 'suspended' }));
    });
    await fixture.database.read(async ({ devices }) => {
      const ids = async (...args: Parameters<typeof devices.list>): Promise<string[]> =>
        (await devices.list(...args)).map(({ id }) => id);
      expect(await ids({ region: '650000' }, { limit: 9 })).to.deep.equal(['d-2', 'd-3']);
      expect(await ids({ region: '650000', kind: 'terminal' }, { limit: 9 })).to.deep.equal(['d-3']);
      expect(await ids({ status: 'registered' }, { limit: 9, after: 'd-1' })).to.deep.equal(['d-2']);
    });
  });

  it('change by compare-and-set on the version', async () => {
    await fixture.database.transaction((tx) => tx.devices.insert(device('d-1')));
    const change = (racer: number): Promise<boolean> =>
      fixture.database.transaction((tx) =>
        racer % 2 === 0
          ? tx.devices.setStatus('d-1', 1, 'suspended', later(1))
          : tx.devices.setFirmware('d-1', 1, `2.${racer}`, later(1)),
      );
    expect(await winners(8, change)).to.equal(1);
    expect(await fixture.database.read(({ devices }) => devices.find('d-1'))).to.deep.include({
      version: 2,
      changedAt: later(1),
    });
  });

  it('have a key that is no other device’s', async () => {
    await fixture.database.transaction((tx) => tx.devices.insertAll([device('d-1'), device('d-2')]));
    const bind = (id: string, version: number): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.devices.bindKey({ id, version, spkiSm3: 'sm3:key', at: later(1) }));
    expect(await winners(4, () => bind('d-1', 1))).to.equal(1);
    await refusal('E_CONFLICT', bind('d-2', 1));
    expect(await fixture.database.read(({ devices }) => devices.findByKey('sm3:key'))).to.deep.include({
      id: 'd-1',
      status: 'in-service',
    });
  });

  it('of the other kinds and states than the schema knows are refused', async () => {
    const wrong = { ...device('d-1'), status: 'lost' as 'suspended' };
    await refusal(
      'E_INTERNAL',
      fixture.database.transaction((tx) => tx.devices.insert(wrong)),
    );
  });
});
