import { expect } from 'chai';
import type { RoleGrant } from '../../../src/domain/person.ts';
import { refusal } from '../../crypto/refusal.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { actsOn, addPerson, approved, carryOut, execute, NEWCOMER, propose } from './people-acts.ts';

const asked = (op: 'person.grant-role' | 'person.revoke-role', targetId: string, grant: RoleGrant) => ({
  op,
  targetId,
  params: { ...grant },
});
const grant = (targetId: string, held: RoleGrant) => asked('person.grant-role', targetId, held);
const revoke = (targetId: string, held: RoleGrant) => asked('person.revoke-role', targetId, held);

forEachDatabase('grantRole and revokeRole', (fixture) => {
  const test = testInstance(fixture);
  const rolesOf = async (id: string) => (await test().database.read((reader) => reader.people.find(id)))?.roles;

  it('grant a role and take it away again', async () => {
    const { id } = test().people.caOperatorOne;
    const { result } = await carryOut(test(), grant(id, { role: 'ra-operator', region: '120000' }));
    expect(result).to.deep.equal({ person: id, role: 'ra-operator', region: '120000' });
    expect(await rolesOf(id)).to.deep.include({ role: 'ra-operator', region: '120000' });
    await carryOut(test(), revoke(id, { role: 'ra-operator', region: '120000' }));
    expect(await rolesOf(id)).to.deep.equal([{ role: 'ca-operator' }]);
    expect(await actsOn(test(), id)).to.deep.equal(['person.role-grant', 'person.role-revoke']);
  });

  it('are done once, and not on a person who changed meanwhile', async () => {
    const { id } = test().people.raOne;
    const first = await approved(test(), grant(id, { role: 'ra-operator', region: '120000' }));
    const second = await approved(test(), grant(id, { role: 'ra-operator', region: '130000' }));
    test().clock.advance(3600);
    await execute(test(), first);
    await refusal('E_STATE', () => execute(test(), first));
    await refusal('E_STALE', () => execute(test(), second));
  });

  it('refuse what the person holds, or does not hold', async () => {
    const { id } = test().people.caOwner;
    await refusal('E_CONFLICT', () => propose(test(), grant(id, { role: 'ca-owner' })));
    await refusal('E_NOT_FOUND', () => propose(test(), revoke(id, { role: 'bundle-signer' })));
    await refusal('E_NOT_FOUND', () => propose(test(), grant('p-nobody', { role: 'ca-owner' })));
  });

  it('refuse roles that exclude each other by rule', async () => {
    const { auditor, caOwner, systemOne, custodianOne } = test().people;
    await refusal('E_FORBIDDEN', () => propose(test(), grant(auditor.id, { role: 'ca-owner' })));
    await refusal('E_FORBIDDEN', () => propose(test(), grant(caOwner.id, { role: 'auditor' })));
    await refusal('E_FORBIDDEN', () => propose(test(), grant(systemOne.id, { role: 'custodian' })));
    await refusal('E_FORBIDDEN', () => propose(test(), grant(custodianOne.id, { role: 'ca-operator' })));
  });

  it('refuse them when they are done as well, where the roles came in between', async () => {
    await addPerson(test(), NEWCOMER);
    const created = await approved(test(), grant(NEWCOMER.id, { role: 'ca-owner' }));
    test().clock.advance(3600);
    const at = test().clock.now();
    await test().database.transaction((tx) => tx.people.grantRole(NEWCOMER.id, { role: 'auditor' }, at));
    await refusal('E_STALE', () => execute(test(), created));
    // The rule set aside: the database itself refuses.
    await refusal('E_FORBIDDEN', () =>
      test().database.transaction((tx) => tx.people.grantRole(NEWCOMER.id, { role: 'ca-owner' }, at)),
    );
    expect(await rolesOf(NEWCOMER.id)).to.deep.equal([{ role: 'auditor' }]);
  });

  it('bring nobody to the audit side who was not appointed to it', async () => {
    await addPerson(test(), NEWCOMER);
    await refusal('E_FORBIDDEN', () => propose(test(), grant(NEWCOMER.id, { role: 'audit-administrator' })));
    const { auditor } = test().people;
    await carryOut(test(), grant(auditor.id, { role: 'audit-administrator' }));
    expect(await rolesOf(auditor.id)).to.have.length(2);
  });

  it('do not break the last quorum', async () => {
    const { securityTwo, auditAdministrator } = test().people;
    const role = { role: 'security-administrator' } as const;
    const error = await refusal('E_QUORUM', () => propose(test(), revoke(securityTwo.id, role)));
    expect(error.message).to.contain('class L3');
    const alone = await refusal('E_QUORUM', () =>
      propose(test(), revoke(auditAdministrator.id, { role: 'audit-administrator' })),
    );
    expect(alone.message).to.contain('nobody else is audit-administrator');
  });

  it('look at the quorum again when they are done, so that of two that are enough for one only one happens', async () => {
    const ids = ['p-owner-2', 'p-owner-3'];
    for (const id of ids) await addPerson(test(), { ...NEWCOMER, id }, { role: 'ca-owner' });
    const [one, other] = [
      await approved(test(), revoke('p-owner-2', { role: 'ca-owner' })),
      await approved(test(), revoke('p-owner-3', { role: 'ca-owner' })),
    ];
    test().clock.advance(3600);
    const both = await Promise.allSettled([execute(test(), one), execute(test(), other)]);
    expect(both.map(({ status }) => status).sort()).to.deep.equal(['fulfilled', 'rejected']);
    const failed = both.find((end) => end.status === 'rejected');
    expect(failed?.reason).to.have.property('code', 'E_QUORUM');
    expect((await test().database.read((reader) => reader.people.holders('ca-owner'))).length).to.equal(2);
  });
});
