/** RestoreKeyReq by the rule of user recovery, on both databases. */
import { expect } from 'chai';
import type { KeyHandle } from '../../../src/crypto/engine.ts';
import { actionHandlers } from '../../../src/flows/action-handlers.ts';
import { requestOf } from '../../../src/flows/approvals/stored-request.ts';
import { executeRequest } from '../../../src/flows/approvals/execute-request.ts';
import { kmcIdentity } from '../../../src/flows/ca-kmc/kmc-identity.ts';
import { revokeCertificate } from '../../../src/flows/certificates/revoke-certificate.ts';
import { enrolDevice } from '../../../src/flows/enrolments/enrol-device.ts';
import type { KeyServiceRequest } from '../../../src/x509/ca-kmc/request.ts';
import type { ReturnedKey } from '../../../src/x509/ca-kmc/response.ts';
import { parseCertificate, type Certificate } from '../../../src/x509/certificate.ts';
import { approve } from '../../fixtures/approvals.ts';
import {
  applyRequest,
  errorNumbers,
  exchanged,
  makeCaSide,
  registerCa,
  RETURN,
  signedMessage,
  type CaSide,
} from '../../fixtures/ca-side.ts';
import { readyDevice } from '../../fixtures/enrolling.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';

forEachDatabase('a restore over GM/T 0014', (fixture) => {
  const test = testInstance(fixture);
  let ca: CaSide;
  let kmc: Certificate;
  let task = 0n;

  beforeEach(async () => {
    ca = await makeCaSide(test(), 'Front of our CA');
    await registerCa(test(), 'sm2-issuing', ca);
    kmc = (await kmcIdentity(test().instance)).certificate;
  });

  const send = async (request: KeyServiceRequest) => {
    task += 1n;
    return (await exchanged(test(), await signedMessage(test(), ca, [request], { task }), kmc)).responses;
  };

  async function enrolled(id: string): Promise<{ key: KeyHandle; enc: Certificate; sign: Certificate }> {
    const ready = await readyDevice(test(), id);
    const outcome = await enrolDevice(test().instance, ready.input);
    if (outcome.state !== 'ISSUED') throw new Error(`it is ${outcome.state}`);
    const { encCertificate, signCertificate } = outcome.answer;
    return { key: ready.key, enc: parseCertificate(encCertificate), sign: parseCertificate(signCertificate) };
  }

  const restore = (certificateSerial: string, recipientSpki: Buffer) =>
    send({ kind: 'restore', return: RETURN, certificateSerial, recipientSpki });
  const requests = () => test().database.read((reader) => reader.requests.list({ op: 'recovery.user' }, { limit: 10 }));

  it('gives the key at once to the live signing certificate of its subject', async () => {
    const { instance, database } = test();
    const { key, enc } = await enrolled('gw-1');
    const [answer] = (await restore(enc.serialNumber, key.spki)) as [ReturnedKey];
    expect(answer.kind).to.equal('restore');
    expect(answer.spki.equals(enc.spki)).to.equal(true);
    const opened = await instance.engine.openKeyPackage(key, answer.keyPackage, enc.spki, kmc.spki);
    expect(opened.spki.equals(enc.spki)).to.equal(true);
    const escrowed = await database.read((reader) =>
      reader.escrowedKeys.findByCertificate('sm2-issuing', enc.serialNumber),
    );
    const [recovery] = await database.read((reader) => reader.recoveries.list({ keyId: escrowed!.id }, { limit: 2 }));
    expect(recovery).to.include({ kind: 'user', requestId: undefined });
    const again = await instance.engine.openEnvelopedKey(key, recovery!.envelopedKey);
    expect(again.spki.equals(enc.spki)).to.equal(true);
    const event = (await test().history('key', escrowed!.id)).at(-1)!;
    expect(event).to.deep.include({ act: 'key.recover-user', out: 'success' });
    expect(event.actor).to.include({ t: 'authority', id: 'sm2-issuing' });
  });

  it('gives nothing to another device, another key, or once the certificate is revoked: people are asked, once', async () => {
    const [one, two] = [await enrolled('gw-1'), await enrolled('gw-2')];
    const stranger = await test().instance.engine.generateKeyPair('SM2');
    expect(errorNumbers(await restore(one.enc.serialNumber, two.key.spki))).to.deep.equal([18]);
    expect(errorNumbers(await restore(one.enc.serialNumber, stranger.spki))).to.deep.equal([18]);
    expect(errorNumbers(await restore(one.enc.serialNumber, stranger.spki))).to.deep.equal([18]);
    expect(await requests()).to.have.length(2);
    const row = await test().database.read((reader) =>
      reader.certificates.findBySerial('sm2-issuing', one.sign.serialNumber),
    );
    await revokeCertificate(test().instance, SYSTEM, { certificateId: row!.id, reason: 'superseded' });
    expect(errorNumbers(await restore(one.enc.serialNumber, one.key.spki))).to.deep.equal([18]);
  });

  it('gives the key to the recipient that people have approved, and to no other', async () => {
    const { instance, people } = test();
    const { enc } = await enrolled('gw-1');
    const [recipient, other] = [
      await instance.engine.generateKeyPair('SM2'),
      await instance.engine.generateKeyPair('SM2'),
    ];
    expect(errorNumbers(await restore(enc.serialNumber, recipient.spki))).to.deep.equal([18]);
    const [row] = await requests();
    expect(row?.proposer).to.equal('authority/sm2-issuing');
    const handlers = actionHandlers(instance);
    const created = { request: requestOf(row!, instance.environmentName), digest: row!.digest };
    await approve(test(), created, [people.recoveryOfficer, people.securityOne]);
    const source = { node: instance.node };
    await executeRequest({ ...instance, handlers }, { requestId: row!.id, source }, people.securityOne.caller);
    const [answer] = (await restore(enc.serialNumber, recipient.spki)) as [ReturnedKey];
    expect(answer.kind).to.equal('restore');
    const opened = await instance.engine.openKeyPackage(recipient, answer.keyPackage, enc.spki, kmc.spki);
    expect(opened.spki.equals(enc.spki)).to.equal(true);
    expect(errorNumbers(await restore(enc.serialNumber, other.spki))).to.deep.equal([18]);
  });

  it('refuses unknown serial numbers, those of other authorities, and algorithms that are not served', async () => {
    const { key, enc } = await enrolled('gw-1');
    const province = await makeCaSide(test(), 'Province CA');
    await registerCa(test(), 'province-ca', province);
    const request = {
      kind: 'restore',
      return: RETURN,
      certificateSerial: enc.serialNumber,
      recipientSpki: key.spki,
    } as const;
    const foreign = await exchanged(test(), await signedMessage(test(), province, [request]), kmc);
    expect(errorNumbers(foreign.responses)).to.deep.equal([16]);
    expect(errorNumbers(await restore('0123', key.spki))).to.deep.equal([16]);
    const odd = { ...request, return: { ...RETURN, hash: RETURN.symmetric } };
    expect(errorNumbers(await send(odd))).to.deep.equal([10]);
  });

  it('reaches the history store: a revoked key is still restored to its live certificate', async () => {
    const user = await enrolled('gw-1');
    const applied = applyRequest(user.key.spki, { userName: user.sign.subject.der });
    await send(applied);
    const { certificateSerial } = applied;
    await send({ kind: 'revoke', certificateSerial });
    const [answer] = (await restore(certificateSerial, user.key.spki)) as [ReturnedKey];
    expect(answer.kind).to.equal('restore');
    const opened = await test().instance.engine.openKeyPackage(user.key, answer.keyPackage, answer.spki, kmc.spki);
    expect(opened.spki.equals(answer.spki)).to.equal(true);
  });
});
