import { expect } from 'chai';
import { KEY_STATE_NAMES, storeOf } from '../../src/domain/key-state.ts';
import { ownedKey, takeKey } from '../../src/flows/keys/take-key.ts';
import type { EscrowedKeyRow } from '../../src/flows/ports/escrowed-keys.ts';
import { forEachDatabase } from './databases.ts';
import { refusal, winners } from './race.ts';
import { authority, device, escrowedKey, later, owner, recordEvent } from './rows.ts';

forEachDatabase('escrowed keys', (fixture) => {
  let first = '';
  let second = '';
  beforeEach(async () => {
    [first, second] = [await recordEvent(fixture), await recordEvent(fixture)];
    await fixture.database.transaction(async (tx) => {
      await tx.authorities.insert(authority('ca-1'));
      await tx.devices.insert(device('d-1'));
    });
  });
  const fill = (rows: readonly EscrowedKeyRow[]): Promise<void> =>
    fixture.database.transaction((tx) => tx.escrowedKeys.insertAll(rows));
  const ownedBy = (row: EscrowedKeyRow, serial: string) =>
    ownedKey(row, owner('ca-1', serial, { deviceId: 'd-1' }), later(5), second);
  /** Chooses like an enrolment, but from a fixed place on, so that racers collide as often as they can. */
  const take = async (serial: string, from = ''): Promise<EscrowedKeyRow | undefined> => {
    for (;;) {
      const row = await fixture.database.read(({ escrowedKeys }) => escrowedKeys.spare('SM2', from));
      if (row === undefined) return undefined;
      const key = ownedBy(row, serial);
      if (await fixture.database.transaction((tx) => tx.escrowedKeys.claim(key))) return key;
    }
  };

  it('come back as they were generated', async () => {
    const row = escrowedKey('k-1', first, { state: 'generated' });
    await fill([row]);
    await fixture.database.read(async ({ escrowedKeys }) => {
      expect(await escrowedKeys.find('k-1')).to.deep.equal(row);
      expect(await escrowedKeys.findByKey('sm3:spki-k-1')).to.deep.equal(row);
      expect(await escrowedKeys.counts()).to.deep.equal([{ algorithm: 'SM2', state: 'generated', count: 1 }]);
      expect(await escrowedKeys.count('SM2', 'generated')).to.equal(1);
      expect(await escrowedKeys.count('SM2', 'spare')).to.equal(0);
    });
  });

  it('have public keys of their own', async () => {
    await fill([escrowedKey('k-1', first)]);
    await refusal(
      'E_CONFLICT',
      fill([escrowedKey('k-2', first), escrowedKey('k-3', first, { spkiSm3: 'sm3:spki-k-1' })]),
    );
    expect(await fixture.database.read(({ escrowedKeys }) => escrowedKeys.find('k-2'))).to.equal(undefined);
  });

  it('are taken from the pool by name, from the place on that the caller chose, with their owner', async () => {
    await fill([
      escrowedKey('k-1', first),
      escrowedKey('k-0', first, { state: 'generated' }),
      escrowedKey('k-2', first),
    ]);
    const taken = await take('01', 'sm3:spki-k-0');
    const expected = escrowedKey('k-1', second, {
      state: 'active',
      store: 'in-use',
      version: 2,
      owner: owner('ca-1', '01', { deviceId: 'd-1' }),
      activatedAt: later(5),
      changedAt: later(5),
    });
    expect(taken).to.deep.equal(expected);
    await fixture.database.read(async ({ escrowedKeys }) => {
      expect(await escrowedKeys.findByCertificate('ca-1', '01')).to.deep.equal(expected);
      expect(await escrowedKeys.list({ deviceId: 'd-1', store: 'in-use' }, { limit: 9 })).to.deep.equal([expected]);
    });
    // Round the pool: behind the last one the first follows.
    expect((await take('02', 'sm3:spki-k-9'))?.id).to.equal('k-2');
  });

  it('with a recorded fault are not chosen', async () => {
    await fill([escrowedKey('k-1', first), escrowedKey('k-2', first)]);
    await fixture.database.transaction((tx) =>
      tx.keyFaults.insert({ keyId: 'k-1', code: 'E_BLOB_AUTH', foundAt: later(1), auditEvent: second }),
    );
    expect((await take('01'))?.id).to.equal('k-2');
    expect(await take('02')).to.equal(undefined);
    await fixture.database.transaction((tx) => tx.keyFaults.clear('k-1'));
    expect((await take('02'))?.id).to.equal('k-1');
  });

  it('that somebody else took are refused to the one who chose them', async () => {
    await fill([escrowedKey('k-1', first)]);
    const row = await fixture.database.read(({ escrowedKeys }) => escrowedKeys.spare('SM2', ''));
    if (row === undefined) throw new Error('the pool is empty');
    await fixture.database.transaction((tx) => takeKey(tx, ownedBy(row, '01')));
    await refusal(
      'E_KEY_TAKEN',
      fixture.database.transaction((tx) => takeKey(tx, ownedBy(row, '02'))),
    );
  });

  it('never go to two owners, and the pool ends for all but one of 16', async () => {
    await fill(Array.from({ length: 5 }, (_, number) => escrowedKey(`k-${number}`, first)));
    const taken = await Promise.all(Array.from({ length: 16 }, (_, racer) => take(`s-${racer}`)));
    const ids = taken.flatMap((key) => (key === undefined ? [] : [key.id])).sort();
    expect(ids).to.deep.equal(['k-0', 'k-1', 'k-2', 'k-3', 'k-4']);
    expect(await take('late')).to.equal(undefined);
  });

  it('stand under one certificate serial of an authority', async () => {
    await fill([escrowedKey('k-1', first), escrowedKey('k-2', first)]);
    await take('01');
    await refusal('E_CONFLICT', take('01'));
    expect(await fixture.database.read(({ escrowedKeys }) => escrowedKeys.find('k-2'))).to.deep.include({
      state: 'spare',
    });
  });

  it('change state by compare-and-set, and lie in the store of their state', async () => {
    for (const state of KEY_STATE_NAMES) {
      const store = storeOf(state);
      await fill([escrowedKey(`k-${state}`, first, { owner: owner('ca-1', state) })]);
      const go = (): Promise<boolean> =>
        fixture.database.transaction((tx) =>
          tx.escrowedKeys.transition({
            id: `k-${state}`,
            from: { state: 'spare', version: 1 },
            to: state,
            at: later(7),
            auditEvent: second,
            ...(state === 'destroy-pending' ? { destroyAfter: later(99) } : {}),
          }),
        );
      expect(await winners(4, go), state).to.equal(1);
      const key = await fixture.database.read(({ escrowedKeys }) => escrowedKeys.find(`k-${state}`));
      expect(key).to.deep.include({ state, store, version: 2, changedAt: later(7), lastAuditEvent: second });
      expect(key?.sealedKey === undefined, `${state} has a blob`).to.equal(store === 'tombstone');
      expect(key?.compromisedAt, state).to.deep.equal(state === 'compromised' ? later(7) : undefined);
    }
  });

  it('are sealed anew by compare-and-set on the object version', async () => {
    await fill([escrowedKey('k-1', first), escrowedKey('k-2', first), escrowedKey('k-3', first, { kekVersion: 2 })]);
    const page = await fixture.database.read(({ escrowedKeys }) => escrowedKeys.sealedBefore(2, 9));
    expect(page.map(({ id }) => id)).to.deep.equal(['k-1', 'k-2']);
    const reseal = (): Promise<boolean> =>
      fixture.database.transaction((tx) =>
        tx.escrowedKeys.reseal('k-1', 1, { sealedKey: Buffer.from('anew'), kekVersion: 2 }, second),
      );
    expect(await winners(8, reseal)).to.equal(1);
    expect(await fixture.database.read(({ escrowedKeys }) => escrowedKeys.find('k-1'))).to.deep.include({
      kekVersion: 2,
      objectVersion: 2,
      version: 1,
      sealedKey: Buffer.from('anew'),
    });
  });

  it('do not change without an audit event of their own', async () => {
    await fill([escrowedKey('k-1', first)]);
    const go = (auditEvent: string): Promise<boolean> =>
      fixture.database.transaction((tx) =>
        tx.escrowedKeys.transition({
          id: 'k-1',
          from: { state: 'spare', version: 1 },
          to: 'compromised',
          at: later(1),
          auditEvent,
        }),
      );
    await refusal('E_AUDIT', go(first));
    await refusal('E_AUDIT', go('ev-unknown'));
    expect(await fixture.database.read(({ escrowedKeys }) => escrowedKeys.find('k-1'))).to.deep.include({
      state: 'spare',
    });
  });

  it('are never signing keys, whatever writes them', async () => {
    await fill([escrowedKey('k-1', first)]);
    const statement = `update escrowed_keys set usage = 'signing', last_audit_event = '${second}'`;
    const error: unknown = await fixture.sql(statement).catch((reason: unknown) => reason);
    expect(String(error)).to.match(/check/i);
  });
});
