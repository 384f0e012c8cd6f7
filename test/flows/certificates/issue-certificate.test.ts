import { expect } from 'chai';
import { spkiSm3 } from '../../../src/crypto/spki.ts';
import { enrolDevice } from '../../../src/flows/enrolments/enrol-device.ts';
import { issueCertificate, type IssueCertificateInput } from '../../../src/flows/certificates/issue-certificate.ts';
import { requireCertifiable } from '../../../src/flows/certificates/require-certifiable.ts';
import { revokeCertificate } from '../../../src/flows/certificates/revoke-certificate.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import { encodeName } from '../../../src/x509/name.ts';
import { verifySignedBy } from '../../../src/x509/path/issuer-signature.ts';
import { refusal } from '../../crypto/refusal.ts';
import { refusalFrom } from '../../domain/refusal.ts';
import { readyDevice } from '../../fixtures/enrolling.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { recordEvent } from '../../store/rows.ts';
import { storePair } from './device-pair.ts';

const SUBJECT = encodeName([
  { type: 'C', value: 'CN' },
  { type: 'CN', value: 'Audit log' },
]);

forEachDatabase('issueCertificate', (fixture) => {
  const test = testInstance(fixture);

  async function freshInput(): Promise<IssueCertificateInput> {
    const { spki } = await test().instance.engine.generateKeyPair('SM2');
    return { authorityId: 'admin-ca', profile: 'audit-log', subject: SUBJECT, spki };
  }
  const issue = (input: IssueCertificateInput) => issueCertificate(test().instance, SYSTEM, input);
  const stored = () => test().database.read((reader) => reader.certificates.list({}, { limit: 100 }));

  it('gives a certificate that verifies under its authority, stored as it was signed', async () => {
    const row = await issue(await freshInput());
    const certificate = parseCertificate(row.certificate);
    expect(verifySignedBy(certificate, test().estate.administratorCa.certificate)).to.equal(true);
    expect(row).to.include({ serialNumber: certificate.serialNumber, status: 'good', source: 'issued' });
    expect([row.notBefore, row.notAfter]).to.deep.equal([certificate.notBefore, certificate.notAfter]);
    const kept = await test().database.read((reader) => reader.certificates.find(row.id));
    expect(kept).to.deep.equal(row);
    expect((await test().history('certificate', row.id)).map(({ act }) => act)).to.deep.equal(['certificate.issue']);
  });

  it('keeps nothing when what belongs to the certificate cannot be written', async () => {
    const input = await freshInput();
    const failing = issueCertificate(test().instance, SYSTEM, input, () => Promise.reject(new RangeError('no')));
    const outcome = await failing.then(
      () => 'issued',
      (error: unknown) => (error instanceof RangeError ? 'failed' : error),
    );
    expect(outcome).to.equal('failed');
    expect(await stored()).to.deep.equal([]);
  });

  it('of twelve that come with one key at the same time one gets the certificate', async () => {
    const input = await freshInput();
    const results = await Promise.allSettled(Array.from({ length: 12 }, () => issue(input)));
    expect(results.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).to.include({ code: 'E_KEY_BLOCKED' });
    }
    expect(await stored()).to.have.length(1);
  });

  it('of a device and another holder that come with one key at the same time one gets it', async () => {
    const { instance } = test();
    for (const round of [1, 2, 3]) {
      const ready = await readyDevice(test(), `gw-${round}`, { serial: `SN-${round}` });
      const results = await Promise.allSettled([
        enrolDevice(instance, ready.input),
        issue({ ...(await freshInput()), spki: ready.key.spki }),
      ]);
      expect(results.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
      const over = await test().database.read((reader) => reader.certificates.findByKey(spkiSm3(ready.key.spki)));
      expect(over).to.have.length(1);
    }
  });

  it('refuses an unknown authority, an unknown profile, and a root, whose key is elsewhere', async () => {
    const input = await freshInput();
    await refusal('E_NOT_FOUND', () => issue({ ...input, authorityId: 'no-ca' }));
    await refusal('E_POLICY', () => issue({ ...input, profile: 'constructor' }));
    await refusal('E_STATE', () => issue({ ...input, authorityId: 'sm2-root' }));
  });

  it('refuses while the keystore is sealed', async () => {
    const input = await freshInput();
    test().instance.keystore.seal();
    await refusal('E_SEALED', () => issue(input));
    expect(await stored()).to.deep.equal([]);
  });

  it('certifies a key once, also when two ask at the same time', async () => {
    const input = await freshInput();
    const outcomes = await Promise.all([refusalFrom(issue(input)), refusalFrom(issue(input))]);
    if (fixture.engine === 'sqlite') {
      expect(outcomes.map((error) => error?.code)).to.have.members([undefined, 'E_KEY_BLOCKED']);
    }
    await refusal('E_KEY_BLOCKED', () => issue(input));
  });

  describe('refuses with E_KEY_BLOCKED and one text', () => {
    const certifiable = (spkiSm3Text: string, deviceId?: string) =>
      test().database.read((reader) =>
        requireCertifiable(reader, spkiSm3Text, deviceId === undefined ? {} : { deviceId }),
      );

    it('the key of an authority, of a person, and a key in the service keystore', async () => {
      const { estate, people, instance, database, clock } = test();
      const waiting = await instance.engine.generateKeyPair('SM2');
      const { keystore } = instance;
      const sealed = await keystore.sealCaKey('waiting', 'sign', waiting);
      const row = { keyId: 'waiting', version: 1, algorithm: 'SM2', usage: 'sign', createdAt: clock.now() } as const;
      const key = { ...row, ...sealed, spki: waiting.spki, spkiSm3: spkiSm3(waiting.spki) };
      await database.transaction((tx) => tx.keystoreRows.addCaKey(key, keystore.epoch));
      const keys = [estate.root.key, estate.issuing.key, people.raOne.key, waiting];
      const texts = new Set<string | undefined>();
      for (const { spki } of keys) {
        texts.add((await refusal('E_KEY_BLOCKED', () => certifiable(spkiSm3(spki)))).message);
      }
      expect(texts.size).to.equal(1);
    });

    it('the key of another device, and an escrowed key even for its own device', async () => {
      const { sign, enc } = await storePair(test(), fixture);
      await refusal('E_KEY_BLOCKED', () => certifiable(sign.spkiSm3, 'gw-2'));
      await refusal('E_KEY_BLOCKED', () => certifiable(sign.spkiSm3));
      await refusal('E_KEY_BLOCKED', () => certifiable(enc.spkiSm3, 'gw-1'));
      await certifiable(sign.spkiSm3, 'gw-1');
    });

    it('a key that is blocked, or of a certificate that was revoked', async () => {
      const { sign } = await storePair(test(), fixture);
      await revokeCertificate(test().instance, SYSTEM, { certificateId: sign.id, reason: 'superseded' });
      await refusal('E_KEY_BLOCKED', () => certifiable(sign.spkiSm3, 'gw-1'));
      const auditEvent = await recordEvent(fixture);
      const { clock, database } = test();
      const blocked = { spkiSm3: 'sm3:aa', reason: 'weak', blockedAt: clock.now(), auditEvent };
      await database.transaction((tx) => tx.blockedKeys.insert(blocked));
      await refusal('E_KEY_BLOCKED', () => certifiable('sm3:aa', 'gw-1'));
    });
  });
});
