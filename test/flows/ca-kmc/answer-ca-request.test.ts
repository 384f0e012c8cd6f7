/** GM/T 0014 through the flow, on both databases: what a CA gets, what is refused and recorded, repeats and races. */
import { expect } from 'chai';
import { OID } from '../../../src/crypto/asn1/oids.ts';
import type { KeyHandle } from '../../../src/crypto/engine.ts';
import { spkiSm3 } from '../../../src/crypto/spki.ts';
import { answerCaRequest } from '../../../src/flows/ca-kmc/answer-ca-request.ts';
import { kmcIdentity } from '../../../src/flows/ca-kmc/kmc-identity.ts';
import { parseSignedAndEnveloped } from '../../../src/crypto/gm/signed-enveloped.ts';
import { serialNumberAlone } from '../../../src/x509/ca-kmc/identifier.ts';
import { fillPool } from '../../../src/flows/pools/fill-pool.ts';
import type { Database } from '../../../src/flows/ports/database.ts';
import type { EscrowedKeyWriter } from '../../../src/flows/ports/escrowed-keys.ts';
import { KmcError } from '../../../src/errors.ts';
import { parseKmcResponse, type ReturnedKey } from '../../../src/x509/ca-kmc/response.ts';
import type { KeyServiceRequest } from '../../../src/x509/ca-kmc/request.ts';
import type { Certificate } from '../../../src/x509/certificate.ts';
import { encodeName, formatName } from '../../../src/x509/name.ts';
import { refusal } from '../../crypto/refusal.ts';
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
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';

forEachDatabase('a certification authority over GM/T 0014', (fixture) => {
  const test = testInstance(fixture);
  let ca: CaSide;
  let user: KeyHandle;
  let kmc: Certificate;

  beforeEach(async () => {
    ca = await makeCaSide(test(), 'Province CA');
    user = await test().instance.engine.generateKeyPair('SM2');
    await registerCa(test(), 'province-ca', ca);
    kmc = (await kmcIdentity(test().instance)).certificate;
  });

  const send = async (requests: readonly KeyServiceRequest[], options = {}) =>
    await exchanged(test(), await signedMessage(test(), ca, requests, options), kmc);
  const keys = () => test().database.read((reader) => reader.escrowedKeys.list({}, { limit: 500 }));

  it('gets a key that its user alone can open, which is escrowed under its serial number', async () => {
    const { instance, database } = test();
    const request = applyRequest(user.spki, { regionCode: Buffer.from('110000') });
    const { responses, task, unproven } = await send([request], { task: 77n });
    expect(unproven).to.equal(undefined);
    expect(task).to.equal(77n);
    const [answer] = responses as [ReturnedKey];
    expect(answer).to.include({ kind: 'apply', certificateSerial: request.certificateSerial });
    const opened = await instance.engine.openKeyPackage(user, answer.keyPackage, answer.spki, kmc.spki);
    expect(opened.spki.equals(answer.spki)).to.equal(true);
    const { recipient, contentAlgorithm, certificates } = parseSignedAndEnveloped(answer.keyPackage);
    expect(recipient.identifier.equals(serialNumberAlone(request.certificateSerial))).to.equal(true);
    expect(contentAlgorithm).to.equal(OID.sm4);
    expect(certificates[0]?.equals(kmc.der)).to.equal(true);
    const row = await database.read((reader) =>
      reader.escrowedKeys.findByCertificate('province-ca', request.certificateSerial),
    );
    expect(row?.spki.equals(answer.spki)).to.equal(true);
    expect(row).to.include({ state: 'active', store: 'in-use' });
    expect(row?.owner?.recipientSpkiSm3).to.equal(spkiSm3(user.spki));
    expect(formatName(row!.owner!.subject)).to.equal('CN=a user');
    const events = await test().history('key', row!.id);
    const distributed = events.at(-1)!;
    expect(distributed).to.deep.include({ act: 'key.distribute', out: 'success' });
    expect(distributed.actor).to.include({ t: 'authority', id: 'province-ca' });
    expect(distributed.det).to.include({ region: '110000', serial: request.certificateSerial, protocol: 'gmt-0014' });
  });

  it('gets every request of a message answered one for one, the bad ones with an error and an event', async () => {
    const good = applyRequest(user.spki);
    const { responses } = await send([
      good,
      applyRequest(user.spki, { keyType: OID.rsaEncryption }),
      applyRequest(user.spki, { keyBits: 512 }),
      applyRequest(user.spki, { return: { ...RETURN, symmetric: OID.sm4Cbc } }),
      applyRequest(user.spki, { certificateSerial: good.certificateSerial }),
      applyRequest(user.spki, { certificateSerial: '00' }),
      applyRequest(user.spki, { notAfter: new Date(Date.now() - 1000) }),
      applyRequest(user.spki, { notAfter: new Date(Date.now() + 3 * 365 * 86_400_000) }),
      applyRequest(user.spki, { userName: Buffer.from([0xff, 0xfe]) }),
      applyRequest(kmc.spki),
      { kind: 'revoke', certificateSerial: '1234' },
      applyRequest(user.spki, { return: { ...RETURN, symmetric: OID.sm4Ecb }, userName: Buffer.from('张三') }),
    ]);
    expect(errorNumbers(responses)).to.deep.equal([0, 10, 10, 10, 11, 11, 14, 14, 15, 13, 16, 0]);
    expect(await keys()).to.have.length(2);
    const denied = (await test().history('authority', 'province-ca')).filter(({ act }) => act === 'access.denied');
    expect(denied).to.have.length(10);
    expect(denied[0]?.det).to.deep.equal({ operation: 'ca-kmc', reason: 'algorithm-not-served' });
  });

  it('is refused a second key for the same userCertNo', async () => {
    const request = applyRequest(user.spki);
    expect(errorNumbers((await send([request])).responses)).to.deep.equal([0]);
    expect(errorNumbers((await send([request], { task: 2n })).responses)).to.deep.equal([12]);
    expect(await keys()).to.have.length(1);
  });

  it('revokes a key, which goes to the history store, once', async () => {
    const { certificateSerial } = applyRequest(user.spki);
    await send([applyRequest(user.spki, { certificateSerial })]);
    expect((await send([{ kind: 'revoke', certificateSerial }], { task: 2n })).responses).to.deep.equal([
      { kind: 'revoke', certificateSerial },
    ]);
    const [key] = await keys();
    expect(key).to.include({ state: 'deactivated', store: 'history' });
    expect(errorNumbers((await send([{ kind: 'revoke', certificateSerial }], { task: 3n })).responses)).to.deep.equal([
      17,
    ]);
  });

  it('gets the identical response to the identical message, also at the same time, and one key', async () => {
    const { instance } = test();
    const message = await signedMessage(test(), ca, [applyRequest(user.spki)]);
    const answers = await Promise.all(
      [1, 2, 3, 4].map(() => answerCaRequest(instance, message, { node: instance.node })),
    );
    const again = await answerCaRequest(instance, message, { node: instance.node });
    for (const { response } of answers) expect(response.equals(again.response)).to.equal(true);
    expect(await keys()).to.have.length(1);
    test().clock.advance(3600);
    expect(
      (await answerCaRequest(instance, message, { node: instance.node })).response.equals(again.response),
    ).to.equal(true);
  });

  it('has its race for one userCertNo won by one message', async () => {
    const { certificateSerial } = applyRequest(user.spki);
    const messages = await Promise.all(
      [1n, 2n, 3n, 4n].map((task) =>
        signedMessage(test(), ca, [applyRequest(user.spki, { certificateSerial })], { task }),
      ),
    );
    const answers = await Promise.all(messages.map((message) => exchanged(test(), message, kmc)));
    const numbers = answers.flatMap(({ responses }) => errorNumbers(responses)).sort((a, b) => a - b);
    expect(numbers).to.deep.equal([0, 12, 12, 12]);
    expect(await keys()).to.have.length(1);
  });

  it('is refused with a stale time, and after its answer was erased, with an event each', async () => {
    const stale = await send([applyRequest(user.spki)], { requestTime: new Date(Date.now() - 301_000) });
    expect(errorNumbers(stale.responses)).to.deep.equal([4]);
    const ahead = await send([applyRequest(user.spki)], { requestTime: new Date(Date.now() + 310_000) });
    expect(errorNumbers(ahead.responses)).to.deep.equal([4]);
    const message = await signedMessage(test(), ca, [applyRequest(user.spki)]);
    await exchanged(test(), message, kmc);
    test().clock.advance(73 * 3600);
    await test().database.transaction((tx) => tx.caKmcExchanges.eraseDue(test().clock.now()));
    expect(errorNumbers((await exchanged(test(), message, kmc)).responses)).to.deep.equal([5]);
    const denied = (await test().history('authority', 'province-ca')).filter(({ act }) => act === 'access.denied');
    expect(denied.map(({ det }) => det['reason'])).to.deep.equal(['stale-time', 'stale-time', 'answer-erased']);
    expect(await keys()).to.have.length(1);
  });

  it('is not known unless registered, and not heard under another key, name or signature', async () => {
    const stranger = await makeCaSide(test(), 'Nobody CA');
    const unknown = await exchanged(test(), await signedMessage(test(), stranger, [applyRequest(user.spki)]), kmc);
    expect(errorNumbers(unknown.responses)).to.deep.equal([2]);
    expect(unknown).to.include({ unproven: 'E_UNAUTHENTICATED', task: 1n });
    const forged = { key: stranger.key, certificate: ca.certificate };
    const badSignature = await exchanged(test(), await signedMessage(test(), forged, [applyRequest(user.spki)]), kmc);
    expect(errorNumbers(badSignature.responses)).to.deep.equal([3]);
    expect(badSignature.unproven).to.equal('E_SIGNATURE');
    const renamed = {
      ...ca.certificate,
      subject: { ...ca.certificate.subject, der: encodeName([{ type: 'CN', value: 'x' }]) },
    };
    const misnamed = await signedMessage(test(), { key: ca.key, certificate: renamed }, [applyRequest(user.spki)]);
    expect(errorNumbers((await exchanged(test(), misnamed, kmc)).responses)).to.deep.equal([2]);
    const malformed = await exchanged(test(), Buffer.from('30030201ff', 'hex'), kmc);
    expect(errorNumbers(malformed.responses)).to.deep.equal([1]);
    expect(malformed).to.include({ unproven: 'E_DER', task: 0n });
    expect(await keys()).to.have.length(0);
  });

  it('is not heard any more under a communication certificate that was replaced or is over; ours is renewed in time', async () => {
    const next = await makeCaSide(test(), 'Province CA');
    await registerCa(test(), 'province-ca', next);
    expect(errorNumbers((await send([applyRequest(user.spki)])).responses)).to.deep.equal([2]);
    const message = await signedMessage(test(), next, [applyRequest(user.spki)]);
    expect(errorNumbers((await exchanged(test(), message, kmc)).responses)).to.deep.equal([0]);
    test().clock.advance(800 * 86_400);
    const renewed = (await kmcIdentity(test().instance)).certificate;
    expect(renewed.spki.equals(kmc.spki)).to.equal(false);
    const late = await exchanged(test(), await signedMessage(test(), next, [applyRequest(user.spki)]), renewed);
    expect(errorNumbers(late.responses)).to.deep.equal([2]);
  });

  it('keeps keys of other authorities apart: neither revokes them nor takes their serial numbers', async () => {
    const other = await makeCaSide(test(), 'Other CA');
    await registerCa(test(), 'sm2-issuing', other);
    const request = applyRequest(user.spki);
    await send([request]);
    const ask = async (requests: readonly KeyServiceRequest[], task: bigint) =>
      errorNumbers((await exchanged(test(), await signedMessage(test(), other, requests, { task }), kmc)).responses);
    expect(await ask([{ kind: 'revoke', certificateSerial: request.certificateSerial }], 1n)).to.deep.equal([16]);
    expect(await ask([applyRequest(user.spki, { certificateSerial: request.certificateSerial })], 2n)).to.deep.equal([
      0,
    ]);
  });

  /** The database of the instance, but for its transactions. */
  const withTransactions = (transaction: Database['transaction']): Database => {
    const { database } = test();
    return { read: (work) => database.read(work), snapshot: (work) => database.snapshot(work), transaction };
  };

  it('leaves nothing behind when its answer cannot be stored, and is answered when it asks again', async () => {
    const { instance } = test();
    const message = await signedMessage(test(), ca, [applyRequest(user.spki), applyRequest(user.spki)]);
    const failing = withTransactions((work) =>
      test().database.transaction(async (tx) => {
        await work(tx);
        throw new KmcError('E_STORAGE', 'the disk is full');
      }),
    );
    await refusal('E_STORAGE', () =>
      answerCaRequest({ ...instance, database: failing }, message, { node: instance.node }),
    );
    expect(await keys()).to.have.length(0);
    expect(errorNumbers((await exchanged(test(), message, kmc)).responses)).to.deep.equal([0, 0]);
    expect(await keys()).to.have.length(2);
  });

  it('gets other keys where another process took those that were chosen for it', async () => {
    const { instance } = test();
    const selfTestedAt = new Date();
    const input = { pool: 'sm2-encryption', isFilling: true, selfTest: () => Promise.resolve(selfTestedAt) } as const;
    const pools = { 'sm2-encryption': { low: 8, high: 8, batch: 8, onDemand: false, needsBackup: false } };
    const policies = { ...instance.policies, keys: { ...instance.policies.keys, pools } };
    await fillPool({ ...instance, policies }, input, SYSTEM);
    let stolen = 0;
    const losing = (writer: EscrowedKeyWriter): EscrowedKeyWriter =>
      new Proxy(writer, {
        get(target, name) {
          if (name === 'claim' && (stolen += 1) <= 3) return () => Promise.resolve(false);
          const member: unknown = Reflect.get(target, name);
          return typeof member === 'function' ? (member.bind(target) as unknown) : member;
        },
      });
    const racing = withTransactions((work) =>
      test().database.transaction((tx) => work({ ...tx, escrowedKeys: losing(tx.escrowedKeys) })),
    );
    const message = await signedMessage(test(), ca, [applyRequest(user.spki), applyRequest(user.spki)]);
    const { response } = await answerCaRequest({ ...instance, database: racing }, message, { node: instance.node });
    const { responses } = parseKmcResponse(response);
    expect(errorNumbers(responses)).to.deep.equal([0, 0]);
    expect(stolen).to.be.greaterThan(3);
    const given = (await keys()).filter(({ state }) => state === 'active').map((key) => key.spkiSm3);
    const answered = responses.map((answer) => (answer.kind === 'apply' ? spkiSm3(answer.spki) : ''));
    expect(given.sort()).to.deep.equal(answered.sort());
  });

  it('gets nothing while the keystore is sealed', async () => {
    const message = await signedMessage(test(), ca, [applyRequest(user.spki)]);
    const { instance } = test();
    instance.keystore.seal();
    await refusal('E_SEALED', () => answerCaRequest(instance, message, { node: instance.node }));
    expect(await keys()).to.have.length(0);
  });
});
