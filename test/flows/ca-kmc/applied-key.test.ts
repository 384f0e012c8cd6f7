/** A key that our own CA applied for over GM/T 0014 is the one that the device's enrolment certifies. */
import { expect } from 'chai';
import { encodeName } from '../../../src/x509/name.ts';
import { enrolDevice } from '../../../src/flows/enrolments/enrol-device.ts';
import { kmcIdentity } from '../../../src/flows/ca-kmc/kmc-identity.ts';
import type { ReturnedKey } from '../../../src/x509/ca-kmc/response.ts';
import { parseCertificate, type Certificate } from '../../../src/x509/certificate.ts';
import {
  applyRequest,
  errorNumbers,
  exchanged,
  makeCaSide,
  registerCa,
  signedMessage,
} from '../../fixtures/ca-side.ts';
import { readyDevice, type ReadyDevice } from '../../fixtures/enrolling.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';

forEachDatabase('a key that our own CA applied for', (fixture) => {
  const test = testInstance(fixture);

  async function enrolled(ready: ReadyDevice): Promise<Certificate> {
    const outcome = await enrolDevice(test().instance, ready.input);
    if (outcome.state !== 'ISSUED') throw new Error(`it is ${outcome.state}`);
    return parseCertificate(outcome.answer.encCertificate);
  }

  it('is certified under the serial number that it was applied for with, for that user and key only', async () => {
    const { database, instance } = test();
    const [ready, other] = [await readyDevice(test(), 'gw-1'), await readyDevice(test(), 'gw-2')];
    // The authority was looked at before it is registered: that must not hide the key.
    await enrolled(other);
    const ca = await makeCaSide(test(), 'Front of our CA');
    await registerCa(test(), 'sm2-issuing', ca);
    const kmc = (await kmcIdentity(instance)).certificate;
    const named = encodeName([{ type: 'CN', value: 'somebody else' }]);
    const wanted = applyRequest(ready.key.spki, { userName: ready.device.subject });
    const answer = await exchanged(
      test(),
      await signedMessage(test(), ca, [applyRequest(ready.key.spki, { userName: named }), wanted]),
      kmc,
    );
    const applied = answer.responses[1] as ReturnedKey;
    const enc = await enrolled(ready);
    expect(enc.serialNumber).to.equal(wanted.certificateSerial);
    expect(enc.spki.equals(applied.spki)).to.equal(true);
    const row = await database.read((reader) => reader.escrowedKeys.findByCertificate('sm2-issuing', enc.serialNumber));
    expect(row?.owner?.deviceId).to.equal('gw-1');
    expect(row?.state).to.equal('active');
    const acts = (await test().history('key', row!.id)).map(({ act }) => act);
    expect(acts).to.deep.equal(['key.distribute', 'enrolment.complete']);
    const again = await exchanged(test(), await signedMessage(test(), ca, [wanted], { task: 2n }), kmc);
    expect(errorNumbers(again.responses)).to.deep.equal([12]);
  });

  it('is not certified once it was revoked', async () => {
    const ready = await readyDevice(test(), 'gw-1');
    const ca = await makeCaSide(test(), 'Front of our CA');
    await registerCa(test(), 'sm2-issuing', ca);
    const kmc = (await kmcIdentity(test().instance)).certificate;
    const wanted = applyRequest(ready.key.spki, { userName: ready.device.subject });
    await exchanged(test(), await signedMessage(test(), ca, [wanted]), kmc);
    const { certificateSerial } = wanted;
    await exchanged(test(), await signedMessage(test(), ca, [{ kind: 'revoke', certificateSerial }]), kmc);
    expect((await enrolled(ready)).serialNumber).to.not.equal(certificateSerial);
  });
});
