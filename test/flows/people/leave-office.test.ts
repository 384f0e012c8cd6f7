import { expect } from 'chai';
import { refusal } from '../../crypto/refusal.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { handSigner, liveService } from '../../http/live-service.ts';
import { forEachDatabase } from '../../store/databases.ts';
import {
  actsOn,
  addPerson,
  approved,
  bring,
  appointment,
  carryOut,
  execute,
  NEWCOMER,
  propose,
} from './people-acts.ts';

forEachDatabase('leaveOffice', (fixture) => {
  const test = testInstance(fixture);
  const live = liveService(test);
  const leave = (targetId: string) => ({ op: 'person.leave' as const, targetId, params: {} });
  const found = (id: string) => test().database.read((reader) => reader.people.find(id));

  it('takes every role, revokes every certificate, and is for good', async () => {
    const { caOperatorOne } = test().people;
    await carryOut(test(), {
      op: 'person.grant-role',
      targetId: caOperatorOne.id,
      params: { role: 'ra-operator', region: '120000' },
    });
    const { result } = await carryOut(test(), leave(caOperatorOne.id));
    expect(result).to.deep.include({ person: caOperatorOne.id, status: 'left' });
    const person = await found(caOperatorOne.id);
    expect(person).to.deep.include({ status: 'left', roles: [] });
    expect(person?.accounts.map(({ status }) => status)).to.deep.equal(['revoked']);
    expect(await actsOn(test(), caOperatorOne.id)).to.deep.equal([
      'person.role-grant',
      'person.certificate-revoke',
      'person.role-revoke',
      'person.role-revoke',
      'person.leave',
    ]);
    const signer = handSigner(test().instance.engine, caOperatorOne);
    const created = Math.floor(test().clock.now().getTime() / 1000);
    expect((await live().call(signer, 'GET', '/api/v1/people', undefined, { created })).status).to.equal(401);
    for (const op of ['person.enable', 'person.suspend', 'person.leave'] as const) {
      await refusal('E_STATE', () => propose(test(), { ...leave(caOperatorOne.id), op }));
    }
    const again = { id: caOperatorOne.id, name: 'Again', unit: 'ca', organisation: 'kmc' };
    const brought = await bring(test(), again);
    await refusal('E_CONFLICT', () => propose(test(), appointment(brought, [{ role: 'ca-operator' }], again)));
  });

  it('does not break the last eligible quorum of a class or the last holder of a role', async () => {
    const { caOwner, auditAdministrator, recoveryOfficer } = test().people;
    expect((await refusal('E_QUORUM', () => propose(test(), leave(caOwner.id)))).message).to.contain('class L3');
    const only = await refusal('E_QUORUM', () => propose(test(), leave(auditAdministrator.id)));
    expect(only.message).to.contain('nobody else is');
    const officer = await refusal('E_QUORUM', () => propose(test(), leave(recoveryOfficer.id)));
    expect(officer.message).to.contain('class judicial');
  });

  it('of two that are enough for one, one happens', async () => {
    const ids = ['p-owner-2', 'p-owner-3'];
    for (const id of ids) await addPerson(test(), { ...NEWCOMER, id }, { role: 'ca-owner' });
    const requests = [await approved(test(), leave('p-owner-2')), await approved(test(), leave('p-owner-3'))];
    test().clock.advance(3600);
    const ends = await Promise.allSettled(requests.map((created) => execute(test(), created)));
    expect(ends.map(({ status }) => status).sort()).to.deep.equal(['fulfilled', 'rejected']);
    expect((await test().database.read((reader) => reader.people.holders('ca-owner'))).length).to.equal(2);
  });

  it('waits until a custodian holds no share any more', async () => {
    for (const id of ['p-cust-4', 'p-cust-5']) await addPerson(test(), { ...NEWCOMER, id }, { role: 'custodian' });
    const error = await refusal('E_STATE', () => propose(test(), leave(test().people.custodianOne.id)));
    expect(error.message).to.contain('share');
    await carryOut(test(), leave('p-cust-4'));
    expect((await found('p-cust-4'))?.status).to.equal('left');
  });
});
