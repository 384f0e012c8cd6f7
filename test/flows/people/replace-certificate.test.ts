import { expect } from 'chai';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import { refusal } from '../../crypto/refusal.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { handSigner, liveService } from '../../http/live-service.ts';
import { forEachDatabase } from '../../store/databases.ts';
import {
  actsOn,
  appointment,
  approved,
  bring,
  carryOut,
  execute,
  NEWCOMER,
  propose,
  type Brought,
} from './people-acts.ts';

const replacement = ({ certificate }: Pick<Brought, 'certificate'>, reason = 'superseded') => ({
  op: 'person.replace-certificate' as const,
  targetId: NEWCOMER.id,
  params: { certificate: certificate.toString('base64'), reason },
});

forEachDatabase('replaceCertificate', (fixture) => {
  const test = testInstance(fixture);
  const live = liveService(test);

  /** Somebody appointed, so that the inventory holds the certificate. */
  async function appointed() {
    const brought = await bring(test());
    const { result } = await carryOut(test(), appointment(brought, [{ role: 'ca-owner' }]));
    return signer(brought, result['certificate']);
  }
  const signer = ({ key }: Brought, certificate: unknown) => ({
    ...handSigner(test().instance.engine, test().people.caOwner),
    key,
    certificate: Buffer.from(String(certificate), 'base64'),
  });
  const statusOf = async (who: Parameters<ReturnType<typeof live>['call']>[0]) =>
    (await live().call(who, 'GET', '/api/v1/people')).status;

  it('lets the new certificate in and the old one no longer', async () => {
    const old = await appointed();
    expect(await statusOf(old)).to.equal(200);
    const brought = await bring(test());
    const { result } = await carryOut(test(), replacement(brought, 'keyCompromise'));
    expect(await statusOf(old)).to.equal(401);
    expect(await statusOf(signer(brought, result['certificate']))).to.equal(200);
    const { serialNumber, spki } = parseCertificate(old.certificate);
    const { row, blocked } = await test().database.read(async (reader) => {
      const found = await reader.certificates.findBySerial('admin-ca', serialNumber);
      return { row: found, blocked: await reader.blockedKeys.find(found?.spkiSm3 ?? '') };
    });
    expect(row).to.include({ status: 'revoked', reason: 'keyCompromise' });
    expect(blocked).to.include({ reason: 'keyCompromise' });
    expect(spki.equals(brought.key.spki)).to.equal(false);
    expect((await actsOn(test(), NEWCOMER.id)).slice(-2)).to.deep.equal([
      'person.certificate-revoke',
      'person.certificate-issue',
    ]);
  });

  it('is done once, and not after another replacement', async () => {
    await appointed();
    const first = await approved(test(), replacement(await bring(test())));
    const second = await approved(test(), replacement(await bring(test())));
    test().clock.advance(3600);
    await execute(test(), first);
    await refusal('E_STATE', () => execute(test(), first));
    await refusal('E_STALE', () => execute(test(), second));
    const person = await test().database.read((reader) => reader.people.find(NEWCOMER.id));
    expect(person?.accounts.map(({ status }) => status).sort()).to.deep.equal(['revoked', 'valid']);
  });

  it('refuses the old key, the certificate of somebody else, and a reason that is none', async () => {
    const brought = await bring(test());
    await carryOut(test(), appointment(brought, [{ role: 'ca-owner' }]));
    await refusal('E_KEY_BLOCKED', () => propose(test(), replacement(brought)));
    const others = await bring(test(), { ...NEWCOMER, id: 'p-other' });
    await refusal('E_POP', () => propose(test(), replacement(others)));
    const fresh = await bring(test());
    await refusal('E_SCHEMA', () => propose(test(), replacement(fresh, 'certificateHold')));
  });
});
