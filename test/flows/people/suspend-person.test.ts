import { expect } from 'chai';
import { suspendPerson } from '../../../src/flows/people/suspend-person.ts';
import type { CastMember } from '../../fixtures/estate.ts';
import { refusal } from '../../crypto/refusal.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { handSigner, liveService } from '../../http/live-service.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { actsOn, addPerson, approved, carryOut, execute, NEWCOMER, propose } from './people-acts.ts';

forEachDatabase('suspendPerson and enablePerson', (fixture) => {
  const test = testInstance(fixture);
  const live = liveService(test);
  const suspend = (personId: string, by: CastMember = test().people.securityOne) =>
    suspendPerson(test().instance, by.caller, { personId, reason: 'token lost' });
  const enable = (targetId: string) => ({ op: 'person.enable' as const, targetId, params: {} });
  const statusOf = async (id: string) => (await test().database.read((reader) => reader.people.find(id)))?.status;

  it('lets one security administrator suspend somebody at once, and three enable them again', async () => {
    const { caOperatorOne, securityOne } = test().people;
    const { engine } = test().instance;
    const operator = handSigner(engine, caOperatorOne);
    expect((await live().call(operator, 'GET', '/api/v1/certificates')).status).to.equal(200);
    const path = `/api/v1/people/${caOperatorOne.id}/suspension`;
    const { status, json } = await live().call(handSigner(engine, securityOne), 'POST', path, { reason: 'lost' });
    expect([status, json]).to.deep.equal([201, { id: caOperatorOne.id, status: 'disabled' }]);
    expect((await live().call(operator, 'GET', '/api/v1/certificates')).status).to.equal(401);
    await carryOut(test(), enable(caOperatorOne.id));
    expect((await live().call(operator, 'GET', '/api/v1/certificates')).status).to.equal(200);
    expect(await actsOn(test(), caOperatorOne.id)).to.deep.equal(['person.disable', 'person.enable']);
  });

  it('is for security administrators alone', async () => {
    const { caOwner, raOne } = test().people;
    await refusal('E_FORBIDDEN', () => suspend(raOne.id, caOwner));
    const path = `/api/v1/people/${raOne.id}/suspension`;
    const answer = await live().call(handSigner(test().instance.engine, caOwner), 'POST', path, { reason: 'x' });
    expect(answer.status).to.equal(403);
    expect(await statusOf(raOne.id)).to.equal('active');
  });

  it('makes approvals of the suspended count no longer', async () => {
    for (const id of ['p-owner-2', 'p-owner-3']) await addPerson(test(), { ...NEWCOMER, id }, { role: 'ca-owner' });
    const { caOwner } = test().people;
    const created = await approved(test(), {
      op: 'person.grant-role',
      targetId: 'p-owner-2',
      params: { role: 'bundle-signer' },
    });
    test().clock.advance(3600);
    await suspend(caOwner.id);
    await refusal('E_QUORUM', () => execute(test(), created));
  });

  it('does not lock the instance: whoever is needed to enable people again stays', async () => {
    const { caOwner, securityTwo, securityOne, custodianOne } = test().people;
    for (const { id } of [caOwner, securityTwo, securityOne]) await refusal('E_QUORUM', () => suspend(id));
    await suspend(custodianOne.id);
    await addPerson(test(), { ...NEWCOMER, id: 'p-owner-2' }, { role: 'ca-owner' });
    await addPerson(test(), { ...NEWCOMER, id: 'p-owner-3' }, { role: 'ca-owner' });
    await suspend(securityOne.id);
    expect(await statusOf(securityOne.id)).to.equal('disabled');
    await refusal('E_QUORUM', () => suspend(caOwner.id, securityTwo));
  });

  it('refuses what is not there, or not so', async () => {
    const { raOne } = test().people;
    await refusal('E_NOT_FOUND', () => suspend('p-nobody'));
    await refusal('E_STATE', () => propose(test(), enable(raOne.id)));
    await suspend(raOne.id);
    await refusal('E_STATE', () => suspend(raOne.id));
    await refusal('E_SCHEMA', () => propose(test(), { ...enable(raOne.id), params: { now: 'yes' } }));
  });
});
