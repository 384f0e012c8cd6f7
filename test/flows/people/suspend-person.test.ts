import { expect } from 'chai';
import type { CastMember } from '../../fixtures/estate.ts';
import { signedApproval } from '../../fixtures/approvals.ts';
import { decideRequest } from '../../../src/flows/approvals/decide-request.ts';
import { refusal } from '../../crypto/refusal.ts';
import { testInstance } from '../../fixtures/instance.ts';
import { handSigner, liveService } from '../../http/live-service.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { actsOn, addPerson, approved, carryOut, execute, NEWCOMER, propose } from './people-acts.ts';

forEachDatabase('suspendPerson and enablePerson', (fixture) => {
  const test = testInstance(fixture);
  const live = liveService(test);
  const suspension = (targetId: string) => ({ op: 'person.suspend' as const, targetId, params: {} });
  const enable = (targetId: string) => ({ op: 'person.enable' as const, targetId, params: {} });
  const statusOf = async (id: string) => (await test().database.read((reader) => reader.people.find(id)))?.status;
  /** Two of distinct roles, one of them a security administrator. */
  const suspend = (targetId: string, by: readonly CastMember[] = [test().people.securityOne, test().people.caOwner]) =>
    carryOut(test(), suspension(targetId), by);

  it('suspend somebody by two, and enable them again by three', async () => {
    const { caOperatorOne } = test().people;
    const operator = handSigner(test().instance.engine, caOperatorOne);
    expect((await live().call(operator, 'GET', '/api/v1/certificates')).status).to.equal(200);
    const { result } = await suspend(caOperatorOne.id);
    expect(result).to.deep.equal({ person: caOperatorOne.id, status: 'disabled' });
    const after = () => ({ created: Math.floor(test().clock.now().getTime() / 1000) });
    expect((await live().call(operator, 'GET', '/api/v1/certificates', undefined, after())).status).to.equal(401);
    await carryOut(test(), enable(caOperatorOne.id));
    expect((await live().call(operator, 'GET', '/api/v1/certificates', undefined, after())).status).to.equal(200);
    expect(await actsOn(test(), caOperatorOne.id)).to.deep.equal(['person.disable', 'person.enable']);
  });

  it('take a security administrator among the two', async () => {
    const { caOwner, caOperatorOne, raOne } = test().people;
    const created = await approved(test(), suspension(raOne.id), [caOwner, caOperatorOne]);
    await refusal('E_QUORUM', () => execute(test(), created));
  });

  it('give no voice to whom they are about, neither for it nor against it', async () => {
    const { caOperatorOne, securityOne } = test().people;
    const created = await propose(test(), suspension(caOperatorOne.id));
    for (const choice of ['APPROVE', 'REJECT'] as const) {
      const decision = await signedApproval(test(), created, caOperatorOne, choice);
      const input = { requestId: created.request.id, decision, source: { node: 'node-1' } };
      await refusal('E_SAME_PERSON', () => decideRequest(test().instance, input, caOperatorOne.caller));
    }
    await approved(test(), suspension(test().people.raOne.id), [securityOne, caOperatorOne]);
  });

  it('make approvals of the suspended count no longer', async () => {
    for (const id of ['p-owner-2', 'p-owner-3']) await addPerson(test(), { ...NEWCOMER, id }, { role: 'ca-owner' });
    const { caOwner, securityOne, caOperatorOne } = test().people;
    const created = await approved(test(), {
      op: 'person.grant-role',
      targetId: 'p-owner-2',
      params: { role: 'bundle-signer' },
    });
    test().clock.advance(3600);
    await suspend(caOwner.id, [securityOne, caOperatorOne]);
    await refusal('E_QUORUM', () => execute(test(), created));
  });

  it('do not lock the instance: whoever is needed to enable people again stays', async () => {
    const { caOwner, securityTwo, securityOne, custodianOne, caOperatorOne } = test().people;
    for (const { id } of [caOwner, securityTwo, securityOne]) {
      const error = await refusal('E_QUORUM', () => propose(test(), suspension(id)));
      expect(error.message).to.contain('class L3').and.to.contain('person.replace-certificate');
    }
    await suspend(custodianOne.id);
    await addPerson(test(), { ...NEWCOMER, id: 'p-owner-2' }, { role: 'ca-owner' });
    await addPerson(test(), { ...NEWCOMER, id: 'p-owner-3' }, { role: 'ca-owner' });
    await suspend(securityOne.id, [securityTwo, caOperatorOne]);
    expect(await statusOf(securityOne.id)).to.equal('disabled');
    await refusal('E_QUORUM', () => propose(test(), suspension(caOwner.id)));
  });

  it('refuse what is not there, or not so', async () => {
    const { raOne } = test().people;
    await refusal('E_NOT_FOUND', () => propose(test(), suspension('p-nobody')));
    await refusal('E_STATE', () => propose(test(), enable(raOne.id)));
    await suspend(raOne.id);
    await refusal('E_STATE', () => propose(test(), suspension(raOne.id)));
    await refusal('E_SCHEMA', () => propose(test(), { ...enable(raOne.id), params: { now: 'yes' } }));
  });
});
