/** Key-encryption keys over their life: rotated, everything under them sealed anew, destroyed when nothing is left. */
import { expect } from 'chai';
import { actionHandlers } from '../../../src/flows/action-handlers.ts';
import { executeRequest } from '../../../src/flows/approvals/execute-request.ts';
import { checkInstance } from '../../../src/flows/check/check-instance.ts';
import { openEscrowedKey } from '../../../src/flows/keys/open-escrowed-key.ts';
import { rewrapKeys } from '../../../src/flows/keystore/rewrap-keys.ts';
import { rotateDueKeks } from '../../../src/flows/keystore/rotate-due-keks.ts';
import { rotateKek } from '../../../src/flows/keystore/rotate-kek.ts';
import { sealingKek } from '../../../src/flows/keystore/sealing-kek.ts';
import { refillPool } from '../../../src/flows/pools/refill-pool.ts';
import type { EscrowedKeyRow } from '../../../src/flows/ports/escrowed-keys.ts';
import { approve, ask } from '../../fixtures/approvals.ts';
import { SYSTEM, testInstance, withPool } from '../../fixtures/instance.ts';
import { refusal as refusalOf } from '../../crypto/refusal.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { refusal } from '../../store/race.ts';
import { enrolled } from '../recoveries/enrolled.ts';

const SOURCE = { node: 'node-1' };
const DAY = 86_400;

forEachDatabase('key-encryption keys', (fixture) => {
  const test = testInstance(fixture);

  /** Fills the pool with one small batch. */
  async function filled(): Promise<void> {
    await refillPool(withPool(test().instance, { batch: 12 }), SYSTEM, { pool: 'sm2-encryption' });
  }

  async function keys(): Promise<EscrowedKeyRow[]> {
    return await test().database.read((reader) => reader.escrowedKeys.list({}, { limit: 1000 }));
  }

  async function versions(): Promise<number[]> {
    return [...new Set((await keys()).map(({ kekVersion }) => kekVersion))].sort((a, b) => a - b);
  }

  async function decided(op: 'kek.rotate' | 'kek.destroy', targetId: string): Promise<unknown> {
    const { instance, people } = test();
    const handlers = actionHandlers(instance);
    const created = await ask(test(), handlers, { op, targetId, params: {} }, people.caOperatorOne.caller);
    await approve(test(), created, [people.securityOne, people.caOperatorTwo]);
    const input = { requestId: created.request.id, source: SOURCE };
    const { result } = await executeRequest({ ...instance, handlers }, input, people.caOperatorOne.caller);
    await instance.keystore.reload();
    return result;
  }

  async function holds(): Promise<void> {
    for (const result of await checkInstance(test().instance)) expect(result.violations, result.id).to.deep.equal([]);
  }

  it('rotate by two people; all keys are sealed anew in batches; the old version is then shredded', async () => {
    const { instance } = test();
    await filled();
    const { key } = await enrolled(test());
    await refusal('E_NOT_FOUND', decided('kek.rotate', 'no-purpose'));
    expect(await decided('kek.rotate', 'escrow-store')).to.deep.equal({ kek: 'escrow-store-2' });
    expect(await decided('kek.rotate', 'ca-keys')).to.deep.equal({ kek: 'ca-keys-2' });
    // Old versions open, the new one seals.
    instance.engine.destroyKey(await openEscrowedKey(instance, key));
    await refusal('E_STATE', decided('kek.destroy', 'escrow-store-1'));
    const total = (await keys()).length;
    let done = 0;
    for (let batch = await rewrapKeys(instance, SYSTEM, 5); batch > 0; batch = await rewrapKeys(instance, SYSTEM, 5)) {
      done += batch;
      await holds();
    }
    expect(done).to.equal(total + 2);
    expect(await versions()).to.deep.equal([2]);
    const told = (await test().history('keystore', 'service')).filter(({ act }) => act === 'keystore.rewrap');
    expect(told.reduce((sum, { det }) => sum + Number(det['count']), 0)).to.equal(done);
    instance.keystore.forgetCaKey('sm2-issuing');
    await enrolled(test(), 'gw-2');
    expect(await decided('kek.destroy', 'escrow-store-1')).to.deep.equal({ kek: 'escrow-store-1', state: 'destroyed' });
    await refusalOf('E_NOT_FOUND', () => instance.keystore.kek('escrow-store', 1));
    await refusal('E_STATE', decided('kek.destroy', 'escrow-store-2'));
    await refusal('E_STATE', decided('kek.destroy', 'audit-mac-1'));
    await holds();
  }).timeout(60_000);

  it('once destroyed take no blob any more, whatever a node with old keys tries, and old copies stay closed', async () => {
    const { instance } = test();
    const { key } = await enrolled(test());
    const stale = instance.keystore.currentKek('escrow-store');
    await rotateKek(instance, { purpose: 'escrow-store', source: SOURCE }, SYSTEM);
    while ((await rewrapKeys(instance, SYSTEM)) > 0);
    const old = { ...key };
    // A node that was told nothing goes on sealing with what it has.
    const context = { keyId: 'k-late', usage: 'encrypt', objectVersion: 1 };
    const [pair] = await instance.engine.generateSealedPairs(stale, [context]);
    await decided('kek.destroy', 'escrow-store-1');
    if (pair === undefined) throw new Error('no pair was made');
    const row = {
      ...old,
      id: 'k-late',
      spki: pair.spki,
      spkiSm3: `sm3:${'1'.repeat(64)}`,
      sealedKey: pair.sealedKey,
      owner: undefined,
    };
    const late = { ...row, state: 'spare', store: 'standby', activatedAt: undefined } as const;
    await refusal(
      'E_STALE',
      test().database.transaction((tx) => tx.escrowedKeys.insertAll([late])),
    );
    await refusal(
      'E_STALE',
      test().database.transaction((tx) =>
        tx.escrowedKeys.reseal(old.id, 2, { sealedKey: pair.sealedKey, kekVersion: 1 }, old.lastAuditEvent),
      ),
    );
    // The row as an old backup holds it: nobody opens it any more.
    await refusalOf('E_NOT_FOUND', () => instance.keystore.kek('escrow-store', old.kekVersion));
    await holds();
  }).timeout(60_000);

  it('are replaced by the service before their crypto-period ends, and seal nothing after it', async () => {
    const { instance, clock } = test();
    const { originateSeconds } = instance.policies.cryptoPeriods['kek-escrow-store'];
    expect(await rotateDueKeks(instance, SYSTEM)).to.deep.equal([]);
    const [row] = await test().database.read((reader) => reader.keystoreRows.keks());
    const made = row?.createdAt.getTime() ?? 0;
    for (const [offset, code] of [
      [-1000, undefined],
      [0, undefined],
      [1000, 'E_PERIOD'],
    ] as const) {
      const at = { now: () => new Date(made + originateSeconds * 1000 + offset) };
      const use = (): unknown => sealingKek({ ...instance, clock: at }, 'escrow-store');
      if (code === undefined) use();
      else await refusalOf(code, use);
    }
    clock.advance(Math.ceil(originateSeconds * 0.81));
    const rotated = await rotateDueKeks(instance, SYSTEM);
    expect(rotated).to.include.members(['escrow-store', 'audit-mac', 'ca-keys', 'db-field']);
    expect(await rotateDueKeks(instance, SYSTEM)).to.deep.equal([]);
    expect(sealingKek(instance, 'escrow-store').version).to.equal(2);
    await filled();
  });

  it('are replaced when so many blobs stand under them that use wears them out', async () => {
    const { instance } = test();
    await filled();
    const { policies } = instance;
    const worn = { ...policies.cryptoPeriods['kek-escrow-store'], mostBlobs: 15 };
    const cryptoPeriods = { ...policies.cryptoPeriods, 'kek-escrow-store': worn };
    const wearing = { ...instance, policies: { ...policies, cryptoPeriods } };
    expect(await rotateDueKeks(wearing, SYSTEM)).to.deep.equal(['escrow-store']);
    expect(await rotateDueKeks(wearing, SYSTEM)).to.deep.equal([]);
  });

  it('past their processing period open nothing, until the key is sealed anew', async () => {
    const { instance } = test();
    const { key } = await enrolled(test());
    await rotateKek(instance, { purpose: 'escrow-store', source: SOURCE }, SYSTEM);
    const period = instance.policies.cryptoPeriods['kek-escrow-store'];
    const end = period.originateSeconds + (period.processSeconds ?? 0);
    const late = { ...instance, clock: { now: () => new Date(Date.now() + (end + DAY) * 1000) } };
    await refusal('E_PERIOD', openEscrowedKey(late, key));
    await rewrapKeys(instance, SYSTEM);
    const present = await test().database.read((reader) => reader.escrowedKeys.find(key.id));
    if (present === undefined) throw new Error('the key is gone');
    const soon = { ...instance, clock: { now: () => new Date(Date.now() + period.originateSeconds * 1000) } };
    instance.engine.destroyKey(await openEscrowedKey(soon, present));
  });

  it('are sealed anew once when two processes rewrap at the same time', async () => {
    const { instance } = test();
    await filled();
    await rotateKek(instance, { purpose: 'escrow-store', source: SOURCE }, SYSTEM);
    const counts = await Promise.all([rewrapKeys(instance, SYSTEM), rewrapKeys(instance, SYSTEM)]);
    expect(counts[0] + counts[1]).to.equal((await keys()).length);
    expect([...new Set((await keys()).map(({ objectVersion }) => objectVersion))]).to.deep.equal([2]);
    await holds();
  });
});
