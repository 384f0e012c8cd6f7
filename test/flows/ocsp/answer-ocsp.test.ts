import { expect } from 'chai';
import { verifySignature } from '../../../src/crypto/algorithms.ts';
import { IDENTIFIER_DIGEST_NAMES, type IdentifierDigestName } from '../../../src/crypto/digests.ts';
import { releaseCertificate } from '../../../src/flows/certificates/release-certificate.ts';
import { revokeCertificate } from '../../../src/flows/certificates/revoke-certificate.ts';
import { importLegacyAuthority } from '../../../src/flows/authorities/import-legacy-authority.ts';
import { answerOcsp, type AnswerOcspPorts } from '../../../src/flows/ocsp/answer-ocsp.ts';
import { findDelegates } from '../../../src/flows/certificates/delegate.ts';
import { OCSP_RESPONDER, OpenResponders } from '../../../src/flows/ocsp/ocsp-responder.ts';
import { presignAnswers } from '../../../src/flows/ocsp/presign-answers.ts';
import { renewResponders } from '../../../src/flows/ocsp/renew-responders.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import { CertIdIssuer, encodeCertId } from '../../../src/x509/ocsp/cert-id.ts';
import { validatePath } from '../../../src/x509/path.ts';
import { refusal } from '../../crypto/refusal.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { legacyIssuing, legacyKey, legacyRoot, legacyEstate } from '../authorities/legacy-estate.ts';
import { storePair } from '../certificates/device-pair.ts';
import { ocspRequest, seen, withNonce } from '../../x509/ocsp/ocsp-request.ts';

const DAY = 86_400;
const MALFORMED = 1;
const TRY_LATER = 3;
const UNAUTHORIZED = 6;

forEachDatabase('answerOcsp', (fixture) => {
  const test = testInstance(fixture);
  let signable = true;
  let ports: AnswerOcspPorts;
  beforeEach(() => {
    signable = true;
    const { instance } = test();
    ports = { ...instance, responders: new OpenResponders(instance), maySignNow: () => Promise.resolve(signable) };
  });

  const issuer = () => {
    const { subject, spki } = test().estate.issuing.certificate;
    return new CertIdIssuer({ name: subject.der, spki });
  };
  const idOf = (serial: string, digest: IdentifierDigestName = 'sha1') => encodeCertId(digest, issuer(), serial);
  const ask = async (request: Buffer) => seen((await answerOcsp(ports, request)).response);
  const renew = () => renewResponders(test().instance, SYSTEM);

  it('says good, revoked and unknown, under every digest, repeating the CertID', async () => {
    await renew();
    const { sign, enc } = await storePair(test(), fixture, 'gw-1');
    const other = await storePair(test(), fixture, 'gw-2');
    await revokeCertificate(test().instance, SYSTEM, { certificateId: sign.id, reason: 'keyCompromise' });
    for (const digest of IDENTIFIER_DIGEST_NAMES) {
      const serials = [sign.serialNumber, enc.serialNumber, other.sign.serialNumber, '5a11223344556677'];
      const ids = serials.map((serial) => idOf(serial, digest));
      for (const [index, expected] of ['revoked', 'revoked', 'good', 'unknown'].entries()) {
        const answer = await ask(ocspRequest(ids.slice(index, index + 1)));
        expect(answer, digest).to.deep.include({ outer: 0, statuses: [expected], nonce: false });
        expect(answer.certIds).to.deep.equal([ids[index]?.toString('hex')]);
      }
      expect((await ask(ocspRequest(ids))).statuses).to.deep.equal(['revoked', 'revoked', 'good', 'unknown']);
    }
  });

  it('is signed by a responder that the authority certified for that alone', async () => {
    expect(await renew()).to.deep.equal(['admin-ca', 'sm2-issuing']);
    const { sign } = await storePair(test(), fixture);
    const { certificate, tbs, signature } = await ask(ocspRequest([idOf(sign.serialNumber)]));
    const responder = parseCertificate(certificate ?? Buffer.alloc(0));
    const { root, issuing } = test().estate;
    const verdict = validatePath({
      leaf: responder,
      intermediates: [issuing.certificate],
      anchors: [root.certificate],
      at: test().clock.now(),
      purpose: 'ocsp-signing',
    });
    expect(verdict.valid).to.equal(true);
    expect(verifySignature('SM2-SM3', responder.spki, tbs, signature)).to.equal(true);
    const events = (await test().history('crl', 'sm2-issuing')).map(({ act }) => act);
    expect(events).to.deep.equal(['ocsp.signer']);
  });

  it('gives everybody the same answer, until the certificate changes: then it is void at once', async () => {
    await renew();
    const { sign } = await storePair(test(), fixture);
    const request = ocspRequest([idOf(sign.serialNumber)]);
    const first = await answerOcsp(ports, request);
    test().clock.advance(60);
    expect((await answerOcsp(ports, request)).response.equals(first.response)).to.equal(true);
    expect(first.kept?.nextUpdate.getTime()).to.equal((first.kept?.thisUpdate.getTime() ?? 0) + DAY * 1000);
    await revokeCertificate(test().instance, SYSTEM, { certificateId: sign.id, reason: 'certificateHold' });
    expect((await ask(request)).statuses).to.deep.equal(['revoked']);
    await releaseCertificate(test().instance, SYSTEM, { certificateId: sign.id });
    expect((await ask(request)).statuses).to.deep.equal(['good']);
    test().clock.advance(DAY);
    expect((await answerOcsp(ports, request)).response.equals(first.response), 'a day later').to.equal(false);
  });

  it('answers a nonce of 16 to 32 octets with it, passes over others, and refuses what is too long', async () => {
    await renew();
    const { sign } = await storePair(test(), fixture);
    const id = [idOf(sign.serialNumber)];
    for (const [octets, echoed] of [
      [1, false],
      [15, false],
      [16, true],
      [32, true],
      [33, false],
      [128, false],
    ] as const) {
      expect(await ask(withNonce(id, octets)), `${octets}`).to.deep.include({ statuses: ['good'], nonce: echoed });
    }
    expect((await ask(withNonce(id, 200))).outer).to.equal(MALFORMED);
    expect((await ask(withNonce(id, 0))).outer).to.equal(MALFORMED);
    expect((await answerOcsp(ports, withNonce(id, 32))).kept).to.equal(undefined);
  });

  it('gives the kept answer without the nonce when it may not sign, and otherwise asks to come later', async () => {
    await renew();
    const { sign, enc } = await storePair(test(), fixture);
    await ask(ocspRequest([idOf(sign.serialNumber)]));
    signable = false;
    expect(await ask(withNonce([idOf(sign.serialNumber)], 32))).to.deep.include({ statuses: ['good'], nonce: false });
    expect((await ask(withNonce([idOf(enc.serialNumber)], 32))).outer).to.equal(TRY_LATER);
  });

  it('serves what was signed while sealed, and says of the rest to come later', async () => {
    const { sign, enc } = await storePair(test(), fixture);
    expect((await ask(ocspRequest([idOf(sign.serialNumber)]))).outer, 'no responder yet').to.equal(TRY_LATER);
    await renew();
    await ask(ocspRequest([idOf(sign.serialNumber)]));
    test().instance.keystore.seal();
    expect((await ask(ocspRequest([idOf(sign.serialNumber)]))).statuses).to.deep.equal(['good']);
    expect((await ask(ocspRequest([idOf(enc.serialNumber)]))).outer).to.equal(TRY_LATER);
    await test().unseal(test().shares);
    expect((await ask(ocspRequest([idOf(enc.serialNumber)]))).statuses).to.deep.equal(['good']);
  });

  it('is not authorized to speak of other issuers, of several at once, and of a root', async () => {
    await renew();
    const { root, administratorCa } = test().estate;
    const of = ({ certificate: { subject, spki } }: typeof root) =>
      encodeCertId('sha1', new CertIdIssuer({ name: subject.der, spki }), '5a11223344556677');
    const stranger = new CertIdIssuer({ name: Buffer.from('3000', 'hex'), spki: root.certificate.spki });
    expect((await ask(ocspRequest([encodeCertId('sm3', stranger, '01')]))).outer).to.equal(UNAUTHORIZED);
    expect((await ask(ocspRequest([of(root)]))).outer).to.equal(UNAUTHORIZED);
    expect((await ask(ocspRequest([of(administratorCa)]))).statuses).to.deep.equal(['unknown']);
    expect((await ask(ocspRequest([of(administratorCa), idOf('5a11223344556677')]))).outer).to.equal(UNAUTHORIZED);
    expect((await ask(Buffer.from('nonsense'))).outer).to.equal(MALFORMED);
  });

  it('keeps nothing of serial numbers that were never used', async () => {
    await renew();
    await ask(ocspRequest([idOf('5a11223344556677')]));
    expect(await fixture.sql('select * from ocsp_answers')).to.deep.equal([]);
  });

  it('signs in advance for everything that has not ended, and again after changes and at its time', async () => {
    const { instance, clock } = test();
    await storePair(test(), fixture, 'gw-1');
    await refusal('E_PENDING', () => presignAnswers(instance));
    await renew();
    const { sign } = await storePair(test(), fixture, 'gw-2');
    const all = await presignAnswers(instance);
    expect(all).to.be.at.least(6);
    expect(await presignAnswers(instance)).to.equal(0);
    signable = false;
    expect((await ask(ocspRequest([idOf(sign.serialNumber)]))).statuses).to.deep.equal(['good']);
    await revokeCertificate(instance, SYSTEM, { certificateId: sign.id, reason: 'superseded' });
    expect((await ask(ocspRequest([idOf(sign.serialNumber)]))).outer, 'void').to.equal(TRY_LATER);
    expect(await presignAnswers(instance)).to.equal(2);
    expect((await ask(ocspRequest([idOf(sign.serialNumber)]))).statuses).to.deep.equal(['revoked']);
    clock.advance(DAY / 2 + 1);
    expect(await presignAnswers(instance)).to.equal(all);
    clock.advance(2 * 365 * DAY);
    await presignAnswers(instance).catch(() => undefined);
    expect(
      await fixture.sql('select * from ocsp_answers where next_update < ?', [clock.now().toISOString()]),
    ).to.have.length(0);
  });

  it('gets a new responder when a third of the last one’s life is left', async () => {
    const { instance, clock, database } = test();
    const responders = () =>
      database.read((reader) => findDelegates(reader, OCSP_RESPONDER, 'sm2-issuing', clock.now()));
    await renew();
    const [first] = await responders();
    clock.advance(59 * DAY);
    expect(await renew()).to.deep.equal([]);
    clock.advance(2 * DAY);
    expect(await renew()).to.deep.equal(['admin-ca', 'sm2-issuing']);
    const [newest, older] = await responders();
    expect(older?.row.id).to.equal(first?.row.id);
    const { sign } = await storePair(test(), fixture);
    const answer = await ask(ocspRequest([idOf(sign.serialNumber)]));
    expect(answer.certificate?.equals(newest?.certificate ?? Buffer.alloc(0))).to.equal(true);
    clock.advance(61 * DAY);
    instance.keystore.seal();
    await refusal('E_SEALED', renew);
  });
});

forEachDatabase('answerOcsp for an imported RSA hierarchy', (fixture) => {
  const test = testInstance(fixture);
  before(function makeEstate() {
    this.timeout(120_000);
    legacyEstate();
  });

  it('answers from the inventory with RSA; before the inventory is in it says nothing', async () => {
    const { instance } = test();
    const ports = { ...instance, responders: new OpenResponders(instance), maySignNow: () => Promise.resolve(true) };
    await importLegacyAuthority(instance, SYSTEM, legacyRoot());
    const legacy = { ...legacyIssuing(), key: await legacyKey(instance.engine, 'issuing') };
    await importLegacyAuthority(instance, SYSTEM, legacy);
    expect(await renewResponders(instance, SYSTEM)).to.include('rsa-issuing');
    const { subject, spki } = parseCertificate(legacy.certificate);
    const issuer = new CertIdIssuer({ name: subject.der, spki });
    const rows = await test().database.read((reader) =>
      reader.certificates.list({ authorityId: 'rsa-issuing' }, { limit: 10 }),
    );
    for (const row of rows) {
      const { response } = await answerOcsp(ports, ocspRequest([encodeCertId('sha256', issuer, row.serialNumber)]));
      const answer = seen(response);
      expect(answer.statuses).to.deep.equal([row.status]);
      const responder = parseCertificate(answer.certificate ?? Buffer.alloc(0));
      expect(responder.keyAlgorithm).to.equal('RSA');
      expect(verifySignature('RSA-SHA256', responder.spki, answer.tbs, answer.signature)).to.equal(true);
    }
    expect(rows.map(({ status }) => status)).to.include.members(['good', 'revoked']);
    await fixture.sql("update authorities set inventory = 'awaited', version = version + 1 where id = 'rsa-issuing'");
    const fresh = ocspRequest([encodeCertId('sha1', issuer, '5a11223344556677')]);
    expect(seen((await answerOcsp(ports, fresh)).response).outer).to.equal(TRY_LATER);
  });
});
