import { expect } from 'chai';
import { issueCertificate } from '../../../src/flows/certificates/issue-certificate.ts';
import { releaseCertificate } from '../../../src/flows/certificates/release-certificate.ts';
import { revokeCertificate } from '../../../src/flows/certificates/revoke-certificate.ts';
import type { RevocationReason } from '../../../src/flows/ports/certificates.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { refusal } from '../../crypto/refusal.ts';
import { refusalFrom } from '../../domain/refusal.ts';
import { storePair } from './device-pair.ts';

forEachDatabase('revokeCertificate and releaseCertificate', (fixture) => {
  const test = testInstance(fixture);

  const revoke = (certificateId: string, reason: RevocationReason, invalidityDate?: Date) =>
    revokeCertificate(test().instance, test().people.caOperatorOne.caller, {
      certificateId,
      reason,
      requestId: 'req-1',
      ...(invalidityDate === undefined ? {} : { invalidityDate }),
    });
  const release = (certificateId: string) =>
    releaseCertificate(test().instance, test().people.caOperatorOne.caller, { certificateId });
  const find = (id: string) => test().database.read((reader) => reader.certificates.find(id));

  it('revokes both halves of a pair and records each', async () => {
    const { sign, enc } = await storePair(test(), fixture);
    expect(await revoke(enc.id, 'superseded')).to.have.members([sign.id, enc.id]);
    for (const { id } of [sign, enc]) {
      expect(await find(id)).to.include({ status: 'revoked', reason: 'superseded' });
      const [event] = await test().history('certificate', id);
      expect(event?.act).to.equal('certificate.revoke');
    }
  });

  it('leaves certificates of people to the acts on people', async () => {
    const { people, database } = test();
    const key = await test().instance.engine.generateKeyPair('SM2');
    const row = await issueCertificate(test().instance, people.caOperatorOne.caller, {
      authorityId: 'admin-ca',
      profile: 'administrator',
      subject: people.caOperatorOne.certificate.subject.der,
      spki: key.spki,
    });
    expect((await refusalFrom(revoke(row.id, 'superseded')))?.code).to.equal('E_USAGE');
    expect((await database.read((reader) => reader.certificates.find(row.id)))?.status).to.equal('good');
  });

  it('blocks both keys for good when one was compromised, and not when it was superseded', async () => {
    const lost = await storePair(test(), fixture, 'gw-1');
    const replaced = await storePair(test(), fixture, 'gw-2');
    await revoke(lost.sign.id, 'keyCompromise');
    await revoke(replaced.sign.id, 'superseded');
    const blocked = (spki: string) => test().database.read((reader) => reader.blockedKeys.find(spki));
    expect(await blocked(lost.sign.spkiSm3)).to.include({ reason: 'keyCompromise' });
    expect(await blocked(lost.enc.spkiSm3)).to.include({ reason: 'keyCompromise' });
    expect(await blocked(replaced.sign.spkiSm3)).to.equal(undefined);
  });

  it('puts a pair on hold and releases it again', async () => {
    const { sign, enc } = await storePair(test(), fixture);
    await revoke(sign.id, 'certificateHold');
    expect((await find(enc.id))?.status).to.equal('on-hold');
    expect(await release(enc.id)).to.have.members([sign.id, enc.id]);
    expect(await find(sign.id)).to.include({ status: 'good', reason: undefined, revokedAt: undefined });
    const acts = (await test().history('certificate', sign.id)).map(({ act }) => act);
    expect(acts).to.deep.equal(['certificate.suspend', 'certificate.unsuspend']);
  });

  it('revokes for good what is on hold', async () => {
    const { sign, enc } = await storePair(test(), fixture);
    await revoke(sign.id, 'certificateHold');
    await revoke(sign.id, 'cessationOfOperation');
    expect(await find(enc.id)).to.include({ status: 'revoked', reason: 'cessationOfOperation' });
  });

  it('refuses a second revocation, a second hold, and a release of what is not on hold', async () => {
    const { sign, enc } = await storePair(test(), fixture);
    await refusal('E_STATE', () => release(sign.id));
    await revoke(sign.id, 'certificateHold');
    await refusal('E_STATE', () => revoke(enc.id, 'certificateHold'));
    await revoke(sign.id, 'superseded');
    await refusal('E_STATE', () => revoke(enc.id, 'superseded'));
    await refusal('E_STATE', () => release(sign.id));
  });

  it('refuses an unknown certificate and a loss that is yet to come', async () => {
    const { sign } = await storePair(test(), fixture);
    await refusal('E_NOT_FOUND', () => revoke('cert-none', 'superseded'));
    await refusal('E_NOT_FOUND', () => release('cert-none'));
    const tomorrow = new Date(test().clock.now().getTime() + 86_400_000);
    await refusal('E_TIME', () => revoke(sign.id, 'keyCompromise', tomorrow));
    expect((await find(sign.id))?.status).to.equal('good');
  });

  it('lets one of two racing revocations win', async () => {
    const { sign, enc } = await storePair(test(), fixture);
    const outcomes = await Promise.all([
      refusalFrom(revoke(sign.id, 'superseded')),
      refusalFrom(revoke(enc.id, 'keyCompromise')),
    ]);
    expect(outcomes.map((error) => error?.code)).to.have.members([undefined, 'E_STATE']);
    const reasons = [await find(sign.id), await find(enc.id)].map((row) => row?.reason);
    expect(reasons[0]).to.equal(reasons[1]);
  });
});
