import { expect } from 'chai';
import { revokeCertificate } from '../../../src/flows/certificates/revoke-certificate.ts';
import { enrolDevice } from '../../../src/flows/enrolments/enrol-device.ts';
import { refusal } from '../../crypto/refusal.ts';
import { macOf, readyDevice, registered, requestFor, tokenFor } from '../../fixtures/enrolling.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { approved, carryOut, execute, propose } from '../people/people-acts.ts';

const asked = (deviceId: string, params: Record<string, string> = {}) => ({
  op: 'device.decommission' as const,
  targetId: deviceId,
  params: { region: '110000', reason: 'cessationOfOperation', ...params },
});

forEachDatabase('decommissionDevice', (fixture) => {
  const test = testInstance(fixture);
  const two = () => [test().people.caOperatorOne, test().people.securityOne];
  const certificatesOf = (deviceId: string) =>
    test().database.read((reader) => reader.certificates.list({ deviceId }, { limit: 10 }));

  it('revokes what the device has, makes its tokens worthless and lets it in no more', async () => {
    const { instance, people } = test();
    const ready = await readyDevice(test(), 'gw-1');
    await enrolDevice(instance, ready.input);
    const [first] = await certificatesOf('gw-1');
    const hold = { certificateId: first?.id ?? '', reason: 'certificateHold' } as const;
    await revokeCertificate(instance, people.caOperatorOne.caller, hold);
    const spare = await tokenFor(test(), 'gw-1');

    const { result } = await carryOut(test(), asked('gw-1'), two());
    expect(result).to.deep.equal({ device: 'gw-1', state: 'decommissioned', certificates: '2', tokens: '1' });
    for (const row of await certificatesOf('gw-1')) {
      expect(row).to.include({ status: 'revoked', reason: 'cessationOfOperation' });
      const [event] = (await test().history('certificate', row.id)).slice(-1);
      expect(event?.act).to.equal('certificate.revoke');
      expect(event?.appr).to.have.length(2);
    }
    const [event] = (await test().history('device', 'gw-1')).slice(-1);
    expect(event?.act).to.equal('device.decommission');

    await refusal('E_TOKEN', () => enrolDevice(instance, ready.input));
    const open = await fixture.sql('select id from enrolments where closed = 0 or enveloped_key is not null');
    expect(open).to.have.length(0);
    const csr = await requestFor(instance.engine, ready.device, await instance.engine.generateKeyPair('SM2'));
    const again = { deviceId: 'gw-1', csr, tokenMac: macOf(spare.token, csr) };
    await refusal('E_TOKEN', () => enrolDevice(instance, again));
    await refusal('E_STATE', () => tokenFor(test(), 'gw-1'));
    await refusal('E_STATE', () => propose(test(), asked('gw-1')));
  });

  it('takes a device out that never enrolled', async () => {
    await registered(test(), 'gw-2');
    const { result } = await carryOut(test(), asked('gw-2', { reason: 'superseded' }), two());
    expect(result).to.include({ certificates: '0', tokens: '0' });
    expect(await test().database.read((reader) => reader.devices.find('gw-2'))).to.include({
      status: 'decommissioned',
    });
  });

  it('refuses a device of another region, a reason that revokes nothing, and parameters of another act', async () => {
    await registered(test(), 'gw-3');
    await refusal('E_NOT_FOUND', () => propose(test(), asked('gw-3', { region: '120000' })));
    await refusal('E_NOT_FOUND', () => propose(test(), asked('gw-none')));
    await refusal('E_SCHEMA', () => propose(test(), asked('gw-3', { reason: 'certificateHold' })));
    await refusal('E_SCHEMA', () => propose(test(), asked('gw-3', { profile: 'gateway' })));
  });

  it('is not done to a device that enrolled after the request was made', async () => {
    const ready = await readyDevice(test(), 'gw-4');
    const created = await approved(test(), asked('gw-4'), two());
    await enrolDevice(test().instance, ready.input);
    await refusal('E_STALE', () => execute(test(), created));
    expect((await certificatesOf('gw-4')).map(({ status }) => status)).to.deep.equal(['good', 'good']);
  });
});
