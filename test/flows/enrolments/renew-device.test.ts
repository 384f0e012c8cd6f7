import { expect } from 'chai';
import { spkiSm3 } from '../../../src/crypto/spki.ts';
import type { DeviceCaller } from '../../../src/domain/caller.ts';
import { checkInstance } from '../../../src/flows/check/check-instance.ts';
import { revokeCertificate } from '../../../src/flows/certificates/revoke-certificate.ts';
import { enrolDevice } from '../../../src/flows/enrolments/enrol-device.ts';
import type { EnrolmentAnswer } from '../../../src/flows/enrolments/enrolment-answer.ts';
import { renewDevice } from '../../../src/flows/enrolments/renew-device.ts';
import { renewSigningCertificate } from '../../../src/flows/enrolments/renew-signing-certificate.ts';
import { parseCertificate, sm3Fingerprint } from '../../../src/x509/certificate.ts';
import { EXTENSIONS, extensionOf } from '../../../src/x509/extensions.ts';
import { encodeName } from '../../../src/x509/name.ts';
import { requireValidPath } from '../../../src/x509/path.ts';
import { refusal } from '../../crypto/refusal.ts';
import { readyDevice, requestFor, type ReadyDevice } from '../../fixtures/enrolling.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';

interface Enrolled extends ReadyDevice {
  readonly answer: EnrolmentAnswer;
  readonly caller: DeviceCaller;
}

forEachDatabase('the renewal of a device', (fixture) => {
  const test = testInstance(fixture);

  function callerOf(id: string, answer: EnrolmentAnswer): DeviceCaller {
    return { type: 'device', id, region: '110000', certificateSm3: sm3Fingerprint(answer.signCertificate) };
  }

  async function enrolled(id: string): Promise<Enrolled> {
    const ready = await readyDevice(test(), id);
    const outcome = await enrolDevice(test().instance, ready.input);
    if (outcome.state !== 'ISSUED') throw new Error(`it is ${outcome.state}`);
    return { ...ready, answer: outcome.answer, caller: callerOf(id, outcome.answer) };
  }

  async function newRequest(device: Enrolled): Promise<Buffer> {
    const { engine } = test().instance;
    return await requestFor(engine, device.device, await engine.generateKeyPair('SM2'));
  }

  async function counts(): Promise<readonly number[]> {
    const one = async (table: string): Promise<number> =>
      Number((await fixture.sql(`select count(*) as n from ${table}`))[0]?.['n']);
    return [await one('certificates'), await one('escrowed_keys'), await one('enrolments')];
  }

  it('gives a new pair for a new key, binds the key, and leaves the old pair in force', async () => {
    const { instance, estate, database, clock } = test();
    const device = await enrolled('gw-1');
    clock.advance(86_400);
    const csr = await newRequest(device);
    const answer = await renewDevice(instance, device.caller, { csr });
    const sign = parseCertificate(answer.signCertificate);
    const enc = parseCertificate(answer.encCertificate);
    for (const [leaf, purpose] of [
      [sign, 'tlcp-sign'],
      [enc, 'tlcp-enc'],
    ] as const) {
      const intermediates = answer.chain.map((der) => parseCertificate(der));
      requireValidPath({ leaf, intermediates, anchors: [estate.root.certificate], at: clock.now(), purpose });
    }
    expect(sign.subject.der.equals(device.device.subject)).to.equal(true);
    expect(enc.spki.equals(parseCertificate(device.answer.encCertificate).spki)).to.equal(false);
    const row = await database.read((reader) => reader.devices.find('gw-1'));
    expect(row?.spkiSm3).to.equal(spkiSm3(sign.spki));
    const old = await database.read((reader) => reader.certificates.findByDigest(device.caller.certificateSm3));
    expect(old?.status).to.equal('good');
    const events = await test().history('device', 'gw-1');
    expect(events.map(({ act }) => act)).to.include('enrolment.renew');
    for (const { id, violations } of await checkInstance(instance)) expect(violations, id).to.deep.equal([]);
  });

  it('answers the same key octet by octet, once and six times at once', async () => {
    const { instance } = test();
    const device = await enrolled('gw-1');
    const csr = await newRequest(device);
    const answers = await Promise.all(Array.from({ length: 6 }, () => renewDevice(instance, device.caller, { csr })));
    const again = await renewDevice(instance, device.caller, { csr });
    for (const answer of answers) expect(answer.csrResponse.equals(again.csrResponse)).to.equal(true);
    // Two pairs, two escrowed keys, two enrolments: the first one and the one renewal.
    expect(await counts()).to.deep.equal([4, 2, 2]);
  });

  it('refuses another subject, and records that', async () => {
    const device = await enrolled('gw-1');
    const { engine } = test().instance;
    const before = await counts();
    const key = await engine.generateKeyPair('SM2');
    for (const plan of [
      { subject: encodeName([{ type: 'CN', value: 'somebody else' }]) },
      { extensions: [extensionOf(EXTENSIONS.subjectAltName, [{ type: 'dNSName', value: 'other.example.cn' }])] },
    ]) {
      const csr = await requestFor(engine, device.device, key, plan);
      await refusal('E_POLICY', () => renewDevice(test().instance, device.caller, { csr }));
    }
    expect(await counts()).to.deep.equal(before);
    const denied = (await test().history('device', 'gw-1')).filter(({ out }) => out === 'denied');
    expect(denied.map(({ act, code }) => [act, code])).to.deep.equal([
      ['enrolment.request', 'E_POLICY'],
      ['enrolment.request', 'E_POLICY'],
    ]);
  });

  it('refuses the key it has, of an authority, of another device, of a revoked certificate, of a person', async () => {
    const { instance, estate, people, database } = test();
    const device = await enrolled('gw-1');
    const other = await enrolled('gw-2');
    const revoked = await instance.engine.generateKeyPair('SM2');
    const renewed = await renewDevice(instance, device.caller, {
      csr: await requestFor(instance.engine, device.device, revoked),
    });
    const row = await database.read((reader) =>
      reader.certificates.findByDigest(sm3Fingerprint(renewed.signCertificate)),
    );
    await revokeCertificate(instance, SYSTEM, { certificateId: row?.id ?? '', reason: 'superseded' });
    const before = await counts();
    const keys = [device.key, estate.issuing.key, other.key, revoked, people.auditor.key];
    for (const [position, key] of keys.entries()) {
      const csr = await requestFor(instance.engine, device.device, key);
      await refusal('E_KEY_BLOCKED', () => renewDevice(instance, device.caller, { csr })).catch((error: unknown) => {
        throw new Error(`key ${position}: ${String(error)}`);
      });
    }
    expect(await counts()).to.deep.equal(before);
  });

  it('refuses a device that is not in service, and whoever is no device', async () => {
    const { instance, database, clock, people } = test();
    const device = await enrolled('gw-1');
    const csr = await newRequest(device);
    await refusal('E_FORBIDDEN', () => renewDevice(instance, people.auditor.caller, { csr }));
    await database.transaction(async (tx) => {
      const row = await tx.devices.find('gw-1');
      await tx.devices.setStatus('gw-1', row?.version ?? 0, 'suspended', clock.now());
    });
    await refusal('E_STATE', () => renewDevice(instance, device.caller, { csr }));
  });

  it('refuses a request whose signature does not verify, and a key that is not SM2', async () => {
    const { instance } = test();
    const device = await enrolled('gw-1');
    const csr = await newRequest(device);
    csr.writeUInt8(csr.readUInt8(csr.length - 1) ^ 1, csr.length - 1);
    await refusal('E_POP', () => renewDevice(instance, device.caller, { csr }));
  });

  it('renews the signing certificate alone for the same key until the crypto-period of the key ends', async () => {
    const { instance, clock } = test();
    const device = await enrolled('gw-1');
    const first = parseCertificate(device.answer.signCertificate);
    clock.advance(86_400);
    const again = await renewSigningCertificate(instance, device.caller, { csr: device.csr });
    const renewed = parseCertificate(again.signCertificate);
    expect(renewed.spki.equals(first.spki)).to.equal(true);
    expect(renewed.notAfter).to.deep.equal(first.notAfter);
    clock.advance(731 * 86_400);
    await refusal('E_PERIOD', () => renewSigningCertificate(instance, device.caller, { csr: device.csr }));
    const fresh = await renewSigningCertificate(instance, device.caller, { csr: await newRequest(device) });
    expect(parseCertificate(fresh.signCertificate).notAfter > first.notAfter).to.equal(true);
  });
});
