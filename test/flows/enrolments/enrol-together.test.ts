import { expect } from 'chai';
import { spkiSm3 } from '../../../src/crypto/spki.ts';
import { enrolDevice } from '../../../src/flows/enrolments/enrol-device.ts';
import { KmcError } from '../../../src/errors.ts';
import { refusal } from '../../crypto/refusal.ts';
import { macOf, readyDevice, requestFor, type ReadyDevice } from '../../fixtures/enrolling.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';

forEachDatabase('devices that enrol at the same time', (fixture) => {
  const test = testInstance(fixture);

  async function ready(count: number): Promise<ReadyDevice[]> {
    const devices: ReadyDevice[] = [];
    for (let at = 1; at <= count; at += 1) devices.push(await readyDevice(test(), `gw-${at}`, { serial: `SN-${at}` }));
    return devices;
  }

  async function enrolAll(inputs: readonly ReadyDevice['input'][]): Promise<string[]> {
    const results = await Promise.allSettled(inputs.map((input) => enrolDevice(test().instance, input)));
    return results.map((result) =>
      result.status === 'fulfilled'
        ? result.value.state
        : result.reason instanceof KmcError
          ? result.reason.code
          : String(result.reason),
    );
  }

  it('share transactions, and each has its pair, its escrowed key and its event', async () => {
    const devices = await ready(7);
    const transactions: number[] = [];
    const { database } = test().instance;
    const counting = {
      ...test().instance,
      database: {
        read: <T>(work: Parameters<typeof database.read<T>>[0]) => database.read(work),
        snapshot: <T>(work: Parameters<typeof database.snapshot<T>>[0]) => database.snapshot(work),
        transaction: <T>(work: Parameters<typeof database.transaction<T>>[0]): Promise<T> => {
          transactions.push(1);
          return database.transaction(work);
        },
      },
    };
    const outcomes = await Promise.all(devices.map(({ input }) => enrolDevice(counting, input)));
    expect(outcomes.map(({ state }) => state)).to.deep.equal(devices.map(() => 'ISSUED'));
    expect(transactions.length).to.be.lessThan(devices.length);
    for (const { device, issued } of devices) {
      const { row, certificates, keys } = await test().database.read(async (reader) => ({
        row: await reader.devices.find(device.id),
        certificates: await reader.certificates.list({ deviceId: device.id }, { limit: 10 }),
        keys: await reader.escrowedKeys.list({ deviceId: device.id }, { limit: 10 }),
      }));
      expect(row).to.include({ status: 'in-service', version: 2 });
      expect(certificates.map(({ profile }) => profile).sort()).to.deep.equal(['gateway-enc', 'gateway-sign']);
      expect(keys).to.have.length(1);
      for (const [type, id] of [
        ['device', device.id],
        ['token', issued.token.id],
        ['key', keys[0]!.id],
        ['certificate', certificates[0]!.id],
      ] as const) {
        expect((await test().history(type, id)).at(-1), `${type} ${id}`).to.include({ act: 'enrolment.complete' });
      }
    }
  });

  it('are refused alone: one with a blocked key, one with another’s key, one whose token was used', async () => {
    const { engine, database } = test().instance;
    const [one, two, three, four, five] = (await ready(5)) as [
      ReadyDevice,
      ReadyDevice,
      ReadyDevice,
      ReadyDevice,
      ReadyDevice,
    ];
    const blocked = await engine.generateKeyPair('SM2');
    const event = (await test().history('device', 'gw-1'))[0]!.id;
    await database.transaction((tx) =>
      tx.blockedKeys.insert({
        spkiSm3: spkiSm3(blocked.spki),
        reason: 'test',
        blockedAt: test().clock.now(),
        auditEvent: event,
      }),
    );
    const withKey = async (device: ReadyDevice, key: ReadyDevice['key']): Promise<ReadyDevice['input']> => {
      const csr = await requestFor(engine, device.device, key);
      return { deviceId: device.device.id, csr, tokenMac: macOf(device.token, csr) };
    };
    const results = await enrolAll([
      one.input,
      await withKey(two, blocked),
      three.input,
      await withKey(four, three.key),
      five.input,
      await withKey(five, await engine.generateKeyPair('SM2')),
    ]);
    expect([results[0], results[1]]).to.deep.equal(['ISSUED', 'E_KEY_BLOCKED']);
    // Who comes second at the very moment of the first may be told to ask again.
    expect([results[2], results[3]]).to.include('ISSUED').and.to.include.oneOf(['E_KEY_BLOCKED', 'E_CONFLICT']);
    expect([results[4], results[5]]).to.have.members(['E_TOKEN', 'ISSUED']);
    const [{ n } = { n: 0 }] = await fixture.sql('select count(*) as n from certificates where device_id is not null');
    expect(Number(n)).to.equal(6);
  });

  it('get nothing from an authority that went out of service, although it is remembered', async () => {
    const [one, two] = (await ready(2)) as [ReadyDevice, ReadyDevice];
    expect(await enrolAll([one.input])).to.deep.equal(['ISSUED']);
    await fixture.sql("update authorities set state = 'crl-only', version = version + 1 where id = 'sm2-issuing'");
    await refusal('E_STATE', () => enrolDevice(test().instance, two.input));
    const [{ n } = { n: 0 }] = await fixture.sql("select count(*) as n from enrolment_tokens where state = 'used'");
    expect(Number(n)).to.equal(1);
    await fixture.sql("update authorities set state = 'active', version = version + 1 where id = 'sm2-issuing'");
    expect(await enrolAll([two.input])).to.deep.equal(['ISSUED']);
  });
});
