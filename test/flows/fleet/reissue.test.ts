import { expect } from 'chai';
import type { KeyHandle } from '../../../src/crypto/engine.ts';
import { signOrder, type ReissueOrder } from '../../../src/domain/fleet/reissue-order.ts';
import { enrolDevice } from '../../../src/flows/enrolments/enrol-device.ts';
import { renewDevice } from '../../../src/flows/enrolments/renew-device.ts';
import { orderReissue } from '../../../src/flows/fleet/order-reissue.ts';
import { readReissue } from '../../../src/flows/fleet/read-reissue.ts';
import { workReissues } from '../../../src/flows/fleet/work-reissues.ts';
import { sm3Fingerprint } from '../../../src/x509/certificate.ts';
import { refusal } from '../../crypto/refusal.ts';
import { readyDevice, requestFor } from '../../fixtures/enrolling.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { secondGeneration, type SecondGeneration } from '../../fixtures/second-generation.ts';
import { forEachDatabase } from '../../store/databases.ts';

const UPGRADE = 'ru-g3';

forEachDatabase('mass re-enrolment', (fixture) => {
  const test = testInstance(fixture);
  let generation: SecondGeneration;

  interface Ordering extends ReissueOrder {
    readonly key: KeyHandle;
  }

  async function ordering(id: string): Promise<Ordering> {
    const { engine } = test().instance;
    const ready = await readyDevice(test(), id);
    const outcome = await enrolDevice(test().instance, ready.input);
    if (outcome.state !== 'ISSUED') throw new Error(outcome.state);
    const csr = await requestFor(engine, ready.device, await engine.generateKeyPair('SM2'));
    const certificateSm3 = sm3Fingerprint(outcome.answer.signCertificate);
    return { deviceId: id, csr, certificateSm3, signature: await signOrder(engine, ready.key, csr), key: ready.key };
  }

  const order = (orders: readonly ReissueOrder[], perMinute = 600) =>
    orderReissue(test().instance, test().people.caOwner.caller, { upgradeId: UPGRADE, orders, perMinute });
  const progress = (job: string) => test().database.read((reader) => readReissue(reader, UPGRADE, job));
  const issuedFor = async () =>
    (await fixture.sql("select id from certificates where authority_id = 'sm2-issuing-g3'")).length;

  beforeEach(async () => {
    generation = await secondGeneration(test());
  });

  it('issues one pair for each order in the background, and each device fetches its own by its key', async () => {
    const orders = [await ordering('gw-1'), await ordering('gw-2'), await ordering('gw-3')];
    await generation.activate();
    test().clock.advance(10);
    const { id } = await order(orders);
    expect(await progress(id)).to.deep.include({ total: '3', waiting: '3', issued: '0' });
    expect(await workReissues(test().instance)).to.equal(3);
    expect(await progress(id)).to.deep.include({ waiting: '0', issued: '3', refused: '0' });
    expect(await issuedFor()).to.equal(6);
    const { deviceId, csr, certificateSm3 } = orders[0]!;
    const caller = { type: 'device', id: deviceId, region: '110000', certificateSm3 } as const;
    test().clock.advance(20 * 86_400);
    const answer = await renewDevice(test().instance, caller, { csr });
    expect(answer.chain.at(-1)?.equals(generation.root.certificate.der)).to.equal(true);
    expect(await issuedFor()).to.equal(6);
    const counted = await test().database.read((reader) => reader.reissues.progress(generation.rootSm3));
    expect(counted).to.deep.equal([{ region: '110000', reissued: 3, total: 3 }]);
  });

  it('goes on where it was cut, with no second pair for what was issued before the cut', async () => {
    const orders = [await ordering('gw-1'), await ordering('gw-2')];
    await generation.activate();
    test().clock.advance(10);
    const { id } = await order(orders);
    await workReissues(test().instance);
    // As after a kill between the commit of the pair and the note that the item is done.
    await fixture.sql("update reissue_items set state = 'waiting', done_at = null where device_id = 'gw-1'");
    test().clock.advance(60);
    expect(await workReissues(test().instance)).to.equal(1);
    expect(await progress(id)).to.deep.include({ issued: '2', refused: '0' });
    expect(await issuedFor()).to.equal(4);
  });

  it('keeps to its rate, and two processes share no batch', async () => {
    const orders = await Promise.all(['gw-1', 'gw-2', 'gw-3', 'gw-4'].map(ordering));
    await generation.activate();
    test().clock.advance(10);
    const { id } = await order(orders, 2);
    const both = await Promise.all([workReissues(test().instance), workReissues(test().instance)]);
    expect(both[0] + both[1]).to.equal(2);
    expect(await workReissues(test().instance)).to.equal(0);
    test().clock.advance(30);
    expect(await workReissues(test().instance)).to.equal(1);
    expect(await progress(id)).to.deep.include({ waiting: '1', issued: '3' });
  });

  it('takes no order that the key of the device did not sign, and refuses a second key of a generation', async () => {
    const [first, second] = [await ordering('gw-1'), await ordering('gw-2')];
    await refusal('E_SIGNATURE', () => order([{ ...first, signature: second.signature }]));
    await refusal('E_SIGNATURE', () => order([{ ...first, csr: second.csr }]));
    await refusal('E_NOT_FOUND', () => order([{ ...first, deviceId: 'gw-2' }]));
    await refusal('E_SCHEMA', () => order([first, first]));
    await generation.activate();
    test().clock.advance(10);
    await order([first]);
    await workReissues(test().instance);
    const { engine } = test().instance;
    const device = (await test().database.read((reader) => reader.devices.find('gw-1')))!;
    const csr = await requestFor(engine, device, await engine.generateKeyPair('SM2'));
    const again = { ...first, csr, signature: await signOrder(engine, first.key, csr) };
    const { id } = await order([again]);
    await workReissues(test().instance);
    expect(await progress(id)).to.deep.include({
      refused: '1',
      refusedOrders: [{ device: 'gw-1', code: 'E_CONFLICT' }],
    });
    expect(await issuedFor()).to.equal(2);
  });
});
