import { expect } from 'chai';
import { registerDevice } from '../../../src/flows/devices/register-device.ts';
import { issueToken } from '../../../src/flows/devices/issue-token.ts';
import { listDevices } from '../../../src/flows/devices/list-devices.ts';
import { revokeToken } from '../../../src/flows/devices/revoke-token.ts';
import { showDevice } from '../../../src/flows/devices/show-device.ts';
import { refusal } from '../../crypto/refusal.ts';
import { registered, registrationOf, tokenFor } from '../../fixtures/enrolling.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';

forEachDatabase('devices and their tokens', (fixture) => {
  const test = testInstance(fixture);

  it('an ra-operator registers in the own region only, and each device once', async () => {
    const { instance, people } = test();
    const device = await registered(test(), 'gw-1');
    expect(device).to.include({ status: 'registered', region: '110000', registrationAuthority: 'ra-110000' });
    const again = { registration: registrationOf('gw-1'), region: '110000' };
    await refusal('E_CONFLICT', () => registerDevice(instance, people.raTwo.caller, again));
    const sameSerial = { registration: registrationOf('gw-2', { serial: 'SN-gw-1' }), region: '110000' };
    await refusal('E_CONFLICT', () => registerDevice(instance, people.raTwo.caller, sameSerial));
    for (const name of ['raElsewhere', 'caOperatorOne', 'securityOne', 'auditor'] as const) {
      await refusal('E_FORBIDDEN', () => registerDevice(instance, people[name].caller, again));
    }
    const noProfile = { registration: registrationOf('gw-3', { profile: 'no-such' }), region: '110000' };
    await refusal('E_POLICY', () => registerDevice(instance, people.raOne.caller, noProfile));
    const [event] = await test().history('device', 'gw-1');
    expect(event).to.deep.include({ act: 'device.register', out: 'success' });
    expect(event?.actor).to.include({ id: people.raOne.id, role: 'ra-operator' });
  });

  it('another person of the region issues the token, which nobody else can read', async () => {
    const { instance, people } = test();
    await registered(test(), 'gw-1');
    const input = { deviceId: 'gw-1', delivery: 'remote' } as const;
    await refusal('E_SAME_PERSON', () => issueToken(instance, people.raOne.caller, input));
    await refusal('E_NOT_FOUND', () => issueToken(instance, people.raElsewhere.caller, input));
    await refusal('E_NOT_FOUND', () => issueToken(instance, people.raTwo.caller, { ...input, deviceId: 'gw-none' }));
    await refusal('E_FORBIDDEN', () => issueToken(instance, people.caOperatorOne.caller, input));
    const { token, issued } = await tokenFor(test(), 'gw-1');
    expect(token.toString('latin1')).to.match(/^[A-Z2-7]{32}$/);
    await refusal('E_DECRYPT', () => instance.engine.decryptSecret(people.raOne.key, issued.ciphertext));
    expect(issued.token.expiresAt.getTime() - issued.token.issuedAt.getTime()).to.equal(72 * 3_600_000);
    const rows = await fixture.sql('select * from enrolment_tokens');
    expect(JSON.stringify(rows)).not.to.include(token.toString('latin1'));
    for (const row of rows) {
      for (const value of Object.values(row)) {
        if (Buffer.isBuffer(value)) expect(value.includes(token)).to.equal(false);
      }
    }
  });

  it('a device has one unused token: a new one revokes it, and an operator can', async () => {
    const { instance, people, database } = test();
    await registered(test(), 'gw-1');
    const first = await tokenFor(test(), 'gw-1');
    const second = await tokenFor(test(), 'gw-1', { delivery: 'remote' }, 'raThree');
    const find = (id: string) => database.read((reader) => reader.enrolmentTokens.find(id));
    expect(await find(first.issued.token.id)).to.include({ state: 'revoked', sealedToken: undefined });
    const input = { deviceId: 'gw-1', tokenId: second.issued.token.id };
    await refusal('E_NOT_FOUND', () => revokeToken(instance, people.raElsewhere.caller, input));
    await revokeToken(instance, people.raOne.caller, input);
    await refusal('E_STATE', () => revokeToken(instance, people.raOne.caller, input));
    await refusal('E_NOT_FOUND', () => revokeToken(instance, people.raOne.caller, { ...input, tokenId: 'tok-none' }));
    expect(await find(second.issued.token.id)).to.include({ state: 'revoked', tokenSm3: undefined });
  });

  it('each region sees its own devices, the centre all of them', async () => {
    const { instance, people } = test();
    await registered(test(), 'gw-1');
    const elsewhere = { registration: registrationOf('gw-2'), region: '120000' };
    await registerDevice(instance, people.raElsewhere.caller, elsewhere);
    const ids = async (name: 'raOne' | 'raElsewhere' | 'auditor', region?: string): Promise<string[]> => {
      const filter = region === undefined ? {} : { region };
      return (await listDevices(instance, people[name].caller, filter, { limit: 10 })).map(({ id }) => id);
    };
    expect(await ids('raOne')).to.deep.equal(['gw-1']);
    expect(await ids('raElsewhere')).to.deep.equal(['gw-2']);
    expect(await ids('auditor')).to.deep.equal(['gw-1', 'gw-2']);
    await refusal('E_NOT_FOUND', () => ids('raOne', '120000'));
    const absent = await refusal('E_NOT_FOUND', () => showDevice(instance, people.raOne.caller, 'gw-none'));
    const foreign = await refusal('E_NOT_FOUND', () => showDevice(instance, people.raOne.caller, 'gw-2'));
    expect(foreign.message).to.equal(absent.message);
    expect((await showDevice(instance, people.auditor.caller, 'gw-2')).device.id).to.equal('gw-2');
  });
});
