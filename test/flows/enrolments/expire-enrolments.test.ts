import { expect } from 'chai';
import { enrolDevice } from '../../../src/flows/enrolments/enrol-device.ts';
import { expireEnrolments } from '../../../src/flows/enrolments/expire-enrolments.ts';
import { registerDevice } from '../../../src/flows/devices/register-device.ts';
import { refusal } from '../../crypto/refusal.ts';
import { macOf, readyDevice, registrationOf, requestFor, tokenFor } from '../../fixtures/enrolling.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';

forEachDatabase('enrolments that nobody finishes', (fixture) => {
  const test = testInstance(fixture);
  const expire = (): Promise<number> => expireEnrolments(test().instance, SYSTEM);
  const rows = () => test().database.read((reader) => reader.enrolments.list({ deviceId: 'hub-1' }, { limit: 10 }));

  it('expire after their time, once, with an event; the key may enrol anew under another token', async () => {
    const { instance, people, clock } = test();
    const registration = registrationOf('hub-1', { profile: 'hub-gateway' });
    const { device } = await registerDevice(instance, people.raOne.caller, { registration, region: '110000' });
    const { token } = await tokenFor(test(), 'hub-1');
    const csr = await requestFor(instance.engine, device, await instance.engine.generateKeyPair('SM2'));
    const input = { deviceId: 'hub-1', csr, tokenMac: macOf(token, csr) };
    expect(await enrolDevice(instance, input)).to.include({ state: 'PENDING' });
    const { pendingSeconds } = instance.policies.enrolment;
    clock.advance(pendingSeconds - 1);
    expect(await expire()).to.equal(0);
    clock.advance(2);
    const next = await tokenFor(test(), 'hub-1');
    const anew = { ...input, tokenMac: macOf(next.token, csr) };
    // Until the sweep has come the new token must not be used up for what is over.
    await refusal('E_CONFLICT', () => enrolDevice(instance, anew));
    const ended = await Promise.all([expire(), expire(), expire()]);
    expect(ended.reduce((sum, count) => sum + count, 0)).to.equal(1);
    expect(await rows()).to.have.length(1);
    expect((await rows())[0]).to.include({ state: 'EXPIRED', closed: true, version: 2 });
    const events = (await test().history('device', 'hub-1')).filter(({ act }) => act === 'enrolment.expire');
    expect(events).to.have.length(1);
    await refusal('E_TOKEN', () => enrolDevice(instance, input));
    expect(await enrolDevice(instance, anew)).to.include({ state: 'PENDING' });
    expect((await rows()).map(({ state }) => state).sort()).to.deep.equal(['EXPIRED', 'PENDING']);
  });

  it('are left alone once they were issued', async () => {
    const { instance, clock } = test();
    const ready = await readyDevice(test(), 'gw-1');
    await enrolDevice(instance, ready.input);
    clock.advance(instance.policies.enrolment.pendingSeconds + 1);
    expect(await expire()).to.equal(0);
  });
});
