import { expect } from 'chai';
import { EXCLUDED_PAIRS } from '../../../src/domain/roles.ts';
import { sideOf } from '../../../src/domain/appointment.ts';
import { makePersonalCertificate } from '../../../src/flows/ceremonies/make-personal-certificate.ts';
import { parseCertificate, sm3Fingerprint } from '../../../src/x509/certificate.ts';
import { formatName } from '../../../src/x509/name.ts';
import { verifySignedBy } from '../../../src/x509/path/issuer-signature.ts';
import { refusal } from '../../crypto/refusal.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { handSigner, liveService } from '../../http/live-service.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { actsOn, appointment, approved, bring, carryOut, execute, NEWCOMER, propose } from './people-acts.ts';

const OWNER = [{ role: 'ca-owner' }] as const;
const AUDITOR = [{ role: 'auditor' }] as const;

forEachDatabase('appointPerson', (fixture) => {
  const test = testInstance(fixture);
  const live = liveService(test);
  const find = (id = NEWCOMER.id) => test().database.read((reader) => reader.people.find(id));

  it('certifies the key that was brought, and the person signs in with that certificate alone', async () => {
    const brought = await bring(test());
    const { result } = await carryOut(test(), appointment(brought, OWNER));
    const certificate = parseCertificate(Buffer.from(String(result['certificate']), 'base64'));
    expect(verifySignedBy(certificate, test().estate.administratorCa.certificate)).to.equal(true);
    expect(certificate.spki.equals(brought.key.spki)).to.equal(true);
    expect(formatName(certificate.subject.der)).to.contain(NEWCOMER.name);
    const person = await find();
    expect(person).to.deep.include({ status: 'active', unit: 'pki', roles: [{ role: 'ca-owner' }] });
    expect(person?.accounts.map(({ certificateSm3 }) => certificateSm3)).to.deep.equal([
      sm3Fingerprint(certificate.der),
    ]);
    const row = await test().database.read((reader) =>
      reader.certificates.findByDigest(sm3Fingerprint(certificate.der)),
    );
    expect(row).to.include({ authorityId: 'admin-ca', profile: 'administrator', status: 'good' });
    expect(await actsOn(test(), NEWCOMER.id)).to.deep.equal([
      'person.appoint',
      'person.role-grant',
      'person.certificate-issue',
    ]);
    const [event] = await test().history('person', NEWCOMER.id);
    expect(event?.appr).to.have.length(3);
    const signer = { ...handSigner(test().instance.engine, test().people.caOwner), key: brought.key };
    const asNew = await live().call({ ...signer, certificate: certificate.der }, 'GET', '/api/v1/people');
    const asBrought = await live().call({ ...signer, certificate: brought.certificate }, 'GET', '/api/v1/people');
    expect([asNew.status, asBrought.status]).to.deep.equal([200, 401]);
  });

  it('is done once', async () => {
    const created = await approved(test(), appointment(await bring(test()), OWNER));
    test().clock.advance(3600);
    const both = await Promise.allSettled([execute(test(), created), execute(test(), created)]);
    expect(both.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
    await refusal('E_STATE', () => execute(test(), created));
    expect((await find())?.accounts).to.have.length(1);
  });

  it('does not appoint a second person of the same id, or with the same key', async () => {
    const brought = await bring(test());
    const other = { ...NEWCOMER, id: 'p-other' };
    const first = await approved(test(), appointment(brought, OWNER));
    const second = await approved(test(), appointment(await bring(test()), OWNER));
    test().clock.advance(3600);
    await execute(test(), first);
    await refusal('E_STALE', () => execute(test(), second));
    const twin = { certificate: (await bring(test(), other)).certificate };
    await refusal('E_CONFLICT', () => propose(test(), appointment(brought, OWNER)));
    await refusal('E_POP', () => propose(test(), appointment(brought, OWNER, other)));
    expect((await propose(test(), appointment(twin, OWNER, other))).state).to.equal('OPEN');
  });

  it('one human being has one record: no operating and audit role under two ids, until the first one has left', async () => {
    const identity = `sm3:${'7'.repeat(64)}`;
    const twin = { ...NEWCOMER, id: 'p-twin' };
    const roles = [{ role: 'ca-operator' }] as const;
    const asOperator = appointment(await bring(test()), roles, NEWCOMER, 'person.appoint', identity);
    const asAuditor = appointment(await bring(test(), twin), AUDITOR, twin, 'person.appoint-auditor', identity);
    const { auditAdministrator, caOwner } = test().people;
    const first = await approved(test(), asOperator);
    const second = await approved(test(), asAuditor, [caOwner, auditAdministrator]);
    test().clock.advance(3600);
    await execute(test(), first);
    expect((await find())?.identityDigest).to.equal(identity);
    expect((await refusal('E_SAME_PERSON', () => execute(test(), second))).message).to.contain(NEWCOMER.id);
    await refusal('E_SAME_PERSON', () => propose(test(), asAuditor));
    expect(await find(twin.id)).to.equal(undefined);
    await carryOut(test(), { op: 'person.leave', targetId: NEWCOMER.id, params: {} });
    expect((await find())?.identityDigest).to.equal(undefined);
    expect((await propose(test(), asAuditor)).state).to.equal('OPEN');
  });

  it('refuses a certificate whose key proved nothing, that names somebody else or has ended', async () => {
    const { certificate } = await bring(test());
    const altered = Buffer.from(certificate);
    altered.writeUInt8(altered.readUInt8(altered.length - 1) ^ 1, altered.length - 1);
    await refusal('E_POP', () => propose(test(), appointment({ certificate: altered }, OWNER)));
    await refusal('E_POP', () => propose(test(), appointment({ certificate }, OWNER, { ...NEWCOMER, unit: 'other' })));
    const issued = { certificate: test().people.caOwner.certificate.der };
    await refusal('E_POP', () => propose(test(), appointment(issued, OWNER)));
    test().clock.advance(91 * 86_400);
    await refusal('E_POP', () => propose(test(), appointment({ certificate }, OWNER)));
  });

  it('refuses a key that is certified or blocked already', async () => {
    const { engine } = test().instance;
    const { key } = test().people.securityTwo;
    const certificate = await makePersonalCertificate(engine, key, NEWCOMER, test().clock.now());
    await refusal('E_KEY_BLOCKED', () => propose(test(), appointment({ certificate }, OWNER)));
  });

  it('refuses every pair of roles that exclude each other', async () => {
    const brought = await bring(test());
    const grant = (role: (typeof EXCLUDED_PAIRS)[number][0]) =>
      role === 'ra-operator' ? { role, region: '110000' } : { role };
    for (const [one, other] of EXCLUDED_PAIRS) {
      const roles = [grant(one), grant(other)];
      const op = sideOf(roles) === 'audit' ? 'person.appoint-auditor' : 'person.appoint';
      const error = await refusal('E_FORBIDDEN', () => propose(test(), appointment(brought, roles, NEWCOMER, op)));
      expect(error.message).to.contain(one).and.to.contain(other);
    }
  });

  it('appoints auditors by the act of the audit side, with its administrator among the approvers', async () => {
    const brought = await bring(test());
    await refusal('E_FORBIDDEN', () => propose(test(), appointment(brought, AUDITOR)));
    await refusal('E_FORBIDDEN', () =>
      propose(test(), appointment(brought, OWNER, NEWCOMER, 'person.appoint-auditor')),
    );
    const asked = appointment(brought, AUDITOR, NEWCOMER, 'person.appoint-auditor');
    const { auditAdministrator, caOwner, securityOne } = test().people;
    const without = await approved(test(), asked, [caOwner, securityOne]);
    await refusal('E_QUORUM', () => execute(test(), without));
    await carryOut(test(), asked, [caOwner, auditAdministrator]);
    expect(await find()).to.deep.include({ roles: [{ role: 'auditor' }] });
  });

  it('refuses parameters that could not be done', async () => {
    const brought = await bring(test());
    const asked = appointment(brought, OWNER);
    const change = (params: object) => () => propose(test(), { ...asked, params: { ...asked.params, ...params } });
    await refusal('E_SCHEMA', change({ roles: [] }));
    await refusal('E_SCHEMA', change({ roles: ['ca-owner'] }));
    await refusal('E_SCHEMA', change({ roles: [{ role: 'owner' }] }));
    await refusal('E_SCHEMA', change({ roles: [{ role: 'ra-operator' }] }));
    await refusal('E_SCHEMA', change({ roles: [{ role: 'ca-owner', region: '110000' }] }));
    await refusal('E_SCHEMA', change({ roles: [{ role: 'ca-owner' }, { role: 'ca-owner' }] }));
    await refusal('E_NOT_FOUND', change({ roles: [{ role: 'ra-operator', region: '999999' }] }));
    await refusal('E_NOT_FOUND', change({ region: '999999' }));
    await refusal('E_SCHEMA', change({ certificate: 'AAA' }));
    await refusal('E_SCHEMA', change({ password: 'x' }));
    await refusal('E_SCHEMA', change({ name: 'x'.repeat(65) }));
  });
});
