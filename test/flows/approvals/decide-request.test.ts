import { expect } from 'chai';
import { decideRequest } from '../../../src/flows/approvals/decide-request.ts';
import { expireRequests } from '../../../src/flows/approvals/expire-requests.ts';
import { exportApproval } from '../../../src/flows/approvals/export-approval.ts';
import { supersedeRequests } from '../../../src/flows/approvals/supersede-requests.ts';
import { withdrawRequest } from '../../../src/flows/approvals/withdraw-request.ts';
import {
  createRequest,
  type CreatedRequest,
  type CreateRequestInput,
} from '../../../src/flows/approvals/create-request.ts';
import { verifyApprovalFile } from '../../../src/domain/approval/file.ts';
import { signedBytes } from '../../../src/domain/signed-body.ts';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import { decide, makeActor, makeDecision, NOW, signDecision } from '../../domain/approval/cast.ts';
import { refusalFrom } from '../../domain/refusal.ts';
import { forEachDatabase } from '../../store/databases.ts';
import {
  approvalInstance,
  callerOf,
  countingHandler,
  enrol,
  eventsOf,
  MovingTarget,
  open,
  SOURCE,
  SYSTEM,
  vote,
  withoutGuard,
  type Cast,
  type StandingClock,
  type TestPorts,
} from './approval-instance.ts';

forEachDatabase('requests and the decisions on them', (fixture) => {
  const instance = approvalInstance(fixture, () => ({
    'key.destroy': countingHandler(),
    'policy.change': countingHandler(),
    'device.issue-token': countingHandler(),
    'recovery.user': countingHandler(),
    'root-key.use': countingHandler(),
    'node.configure': countingHandler(new MovingTarget()),
  }));
  let cast: Cast;
  let clock: StandingClock;
  let ports: TestPorts;
  beforeEach(() => {
    ({ cast, clock, ports } = instance());
  });

  const proposer = () => callerOf(cast.of('p-proposer'));
  const destroy = (): Promise<CreatedRequest> => open(ports, 'key.destroy', proposer());
  const stateOf = async (created: CreatedRequest): Promise<string | undefined> =>
    (await ports.database.read((reader) => reader.requests.find(created.request.id)))?.state;
  const events = (created: CreatedRequest): Promise<string[]> =>
    eventsOf(ports.database, 'request', created.request.id);
  const codeOf = async (work: Promise<unknown>): Promise<string | undefined> => (await refusalFrom(work))?.code;
  const input = (change: Partial<CreateRequestInput>): CreateRequestInput => ({
    op: 'key.destroy',
    targetId: 't-1',
    params: {},
    reason: 'a test asks for it',
    source: SOURCE,
    ...change,
  });

  describe('a request', () => {
    it('is stored as the canonical bytes of its digest, with the target as it stands', async () => {
      const created = await destroy();
      expect(created.digest).to.equal(`sm3:${sm3(signedBytes('request', created.request)).toString('hex')}`);
      expect(created.request).to.include({
        preState: 'READY',
        targetVersion: '1',
        policy: 'L2@1',
        proposer: 'p-proposer',
      });
      expect(created.request.environment).to.equal('development/kmc-test');
      const row = await ports.database.read((reader) => reader.requests.find(created.request.id));
      expect(row?.canonical.equals(created.canonical)).to.equal(true);
      expect(row).to.include({ state: 'OPEN', version: 1, class: 'L2', digest: created.digest });
      expect(await events(created)).to.deep.equal(['request.create success']);
    });

    it('expires when policy says, and within the stated window where the class asks for one', async () => {
      expect((await destroy()).request.expiresAt).to.equal('2026-11-28T08:00:00Z');
      expect(await codeOf(createRequest(ports, input({ op: 'root-key.use' }), proposer()))).to.equal('E_TIME');
      const days = (count: number): Date => new Date(NOW.getTime() + count * 86_400_000);
      expect(
        await codeOf(createRequest(ports, input({ op: 'root-key.use', expiresAt: days(31) }), proposer())),
      ).to.equal('E_TIME');
      expect(
        await codeOf(createRequest(ports, input({ op: 'root-key.use', expiresAt: days(-1) }), proposer())),
      ).to.equal('E_TIME');
      const stated = await createRequest(ports, input({ op: 'root-key.use', expiresAt: days(2) }), proposer());
      expect(stated.request.expiresAt).to.equal('2026-11-27T08:00:00Z');
    });

    it('is refused to whoever may not propose the act', async () => {
      for (const id of ['p-auditor', 'p-sys', 'p-ra']) {
        expect(await codeOf(createRequest(ports, input({}), callerOf(cast.of(id)))), id).to.equal('E_FORBIDDEN');
      }
      const token = input({ op: 'device.issue-token', params: { region: '110000' } });
      expect(await codeOf(createRequest(ports, token, callerOf(cast.of('p-ra-far'))))).to.equal('E_FORBIDDEN');
      expect(await codeOf(createRequest(ports, token, callerOf(cast.of('p-ra'))))).to.equal(undefined);
      expect(await codeOf(createRequest(ports, input({}), { type: 'anonymous', source: '::1' }))).to.equal(
        'E_FORBIDDEN',
      );
      expect(await codeOf(createRequest(ports, input({ op: 'node.configure' }), callerOf(cast.of('p-sys'))))).to.equal(
        undefined,
      );
    });

    it('looks at the roles in the database, not at those that the caller came with', async () => {
      const stale = { ...proposer(), id: 'p-auditor' };
      expect(await codeOf(createRequest(ports, input({}), stale))).to.equal('E_FORBIDDEN');
    });

    it('is opened by the service for an authority', async () => {
      const created = await createRequest(ports, input({ op: 'recovery.user', forAuthority: 'ca-7' }), SYSTEM);
      expect(created.request.proposer).to.equal('authority/ca-7');
      expect(await codeOf(createRequest(ports, input({ forAuthority: 'ca-7' }), proposer()))).to.equal('E_FORBIDDEN');
    });

    it('is refused for an act that signatures decide, or that nobody here does', async () => {
      expect(await codeOf(createRequest(ports, input({ op: 'manifest.publish' }), proposer()))).to.equal('E_USAGE');
      expect(await codeOf(createRequest(ports, input({ op: 'key.export' }), proposer()))).to.equal('E_USAGE');
    });

    it('is refused by a process whose policy files are not those in force', async () => {
      const other = { ...ports, policyDigest: `sm3:${'0'.repeat(64)}` };
      expect(await codeOf(createRequest(other, input({}), proposer()))).to.equal('E_POLICY');
    });

    it('is taken back by its proposer alone, before it is executed', async () => {
      const created = await destroy();
      const withdraw = (id: string): Promise<void> =>
        withdrawRequest(ports, { requestId: created.request.id, source: SOURCE }, callerOf(cast.of(id)));
      expect(await codeOf(withdraw('p-sec'))).to.equal('E_FORBIDDEN');
      await withdraw('p-proposer');
      expect(await stateOf(created)).to.equal('WITHDRAWN');
      expect(await codeOf(withdraw('p-proposer'))).to.equal('E_STATE');
      expect(await codeOf(vote(ports, created, cast.of('p-sec'), 'security-administrator'))).to.equal('E_STATE');
    });

    it('ends when its time is over', async () => {
      const created = await destroy();
      clock.advance(72 * 3600 - 1);
      expect(await expireRequests(ports, { source: SOURCE }, SYSTEM)).to.equal(0);
      clock.advance(1);
      expect(await codeOf(vote(ports, created, cast.of('p-sec'), 'security-administrator'))).to.equal('E_TIME');
      expect(await expireRequests(ports, { source: SOURCE }, SYSTEM)).to.equal(1);
      expect(await stateOf(created)).to.equal('EXPIRED');
      expect(await expireRequests(ports, { source: SOURCE }, SYSTEM)).to.equal(0);
    });

    it('is superseded once another policy is in force', async () => {
      const created = await destroy();
      const digest = `sm3:${'5'.repeat(64)}`;
      await ports.database.transaction((tx) => tx.instance.replace('policy-digest', ports.policyDigest, digest));
      const renewed = { ...ports, policyDigest: digest };
      expect(await codeOf(vote(renewed, created, cast.of('p-sec'), 'security-administrator'))).to.equal('E_STALE');
      expect(await supersedeRequests(renewed, { source: SOURCE }, SYSTEM)).to.equal(1);
      expect(await stateOf(created)).to.equal('SUPERSEDED');
    });

    it('that somebody altered in the database is noticed', async () => {
      const created = await destroy();
      const other = created.canonical.toString('utf8').replace('a test asks', 'a thief asks');
      await withoutGuard(fixture, 'requests', 'audited', 'asked');
      await fixture.sql('update requests set canonical = ? where id = ?', [Buffer.from(other), created.request.id]);
      expect(await codeOf(vote(ports, created, cast.of('p-sec'), 'security-administrator'))).to.equal('E_INTEGRITY');
    });
  });

  describe('a decision', () => {
    it('of each of two distinct roles makes the quorum', async () => {
      const created = await destroy();
      expect((await vote(ports, created, cast.of('p-sec'), 'security-administrator')).state).to.equal('OPEN');
      const second = await vote(ports, created, cast.of('p-owner'), 'ca-owner');
      expect(second.state).to.equal('QUORUM');
      expect(second.evaluation.counted.map((one) => one.person)).to.deep.equal(['p-owner', 'p-sec']);
      expect(await events(created)).to.deep.equal([
        'request.create success',
        'request.approve success',
        'request.approve success',
        'request.quorum success',
      ]);
    });

    it('may be handed in by somebody else than who signed it', async () => {
      const created = await destroy();
      const decision = decide(cast.of('p-sec'), created.request, 'security-administrator', 'APPROVE', NOW);
      const courier = callerOf(cast.of('p-auditor'));
      const decided = await decideRequest(ports, { requestId: created.request.id, decision, source: SOURCE }, courier);
      expect(decided.evaluation.counted.map((one) => one.person)).to.deep.equal(['p-sec']);
    });

    it('handed in again changes nothing and is answered alike', async () => {
      const created = await destroy();
      const decision = decide(cast.of('p-sec'), created.request, 'security-administrator', 'APPROVE', NOW);
      const hand = (): ReturnType<typeof decideRequest> =>
        decideRequest(ports, { requestId: created.request.id, decision, source: SOURCE }, callerOf(cast.of('p-sec')));
      expect(await hand()).to.deep.equal(await hand());
      expect(await events(created)).to.have.length(2);
    });

    it('of the proposer, or a second one of a person, is refused (E1, E2)', async () => {
      const created = await destroy();
      expect(await codeOf(vote(ports, created, cast.of('p-proposer'), 'security-administrator'))).to.equal(
        'E_SAME_PERSON',
      );
      await vote(ports, created, cast.of('p-sec'), 'security-administrator');
      expect(await codeOf(vote(ports, created, cast.of('p-sec'), 'security-administrator'))).to.equal('E_SAME_PERSON');
      expect(await codeOf(vote(ports, created, cast.of('p-sec'), 'security-administrator', 'REJECT'))).to.equal(
        'E_SAME_PERSON',
      );
    });

    it('of a person under another account is refused (E1)', async () => {
      await withoutGuard(fixture, 'accounts', 'token'); // the database would not even let that account in
      const created = await destroy();
      await vote(ports, created, cast.of('p-sec'), 'security-administrator');
      const twin = await makeActor(cast.ca, 'p-twin', ['ca-owner'], { tokenSerial: 'UK-1' });
      await enrol(ports.database, twin);
      expect(await codeOf(vote(ports, created, twin, 'ca-owner'))).to.equal('E_SAME_PERSON');
    });

    it('in a role that is not held or does not approve is refused', async () => {
      const created = await destroy();
      expect(await codeOf(vote(ports, created, cast.of('p-owner'), 'security-administrator'))).to.equal('E_FORBIDDEN');
      expect(await codeOf(vote(ports, created, cast.of('p-auditor'), 'auditor'))).to.equal('E_FORBIDDEN');
      expect(await codeOf(vote(ports, created, cast.of('p-sys'), 'system-administrator'))).to.equal('E_FORBIDDEN');
    });

    it('of an ra-operator counts in the own region alone', async () => {
      const token = await open(ports, 'device.issue-token', proposer(), { region: '110000' });
      expect(await codeOf(vote(ports, token, cast.of('p-ra-far'), 'ra-operator'))).to.equal('E_FORBIDDEN');
      expect((await vote(ports, token, cast.of('p-ra'), 'ra-operator')).state).to.equal('QUORUM');
    });

    it('of somebody unknown, disabled or with a revoked certificate is refused', async () => {
      const created = await destroy();
      const stranger = await makeActor(cast.ca, 'p-stranger', ['ca-owner']);
      expect(await codeOf(vote(ports, created, stranger, 'ca-owner'))).to.equal('E_APPROVAL');
      const owner = cast.of('p-owner');
      const { certificateSm3 } = callerOf(owner);
      await ports.database.transaction((tx) => tx.people.setAccountStatus(certificateSm3, 'valid', 'revoked'));
      expect(await codeOf(vote(ports, created, owner, 'ca-owner'))).to.equal('E_APPROVAL');
      const person = await ports.database.read((reader) => reader.people.find('p-owner2'));
      await ports.database.transaction((tx) => tx.people.setStatus('p-owner2', person?.version ?? 0, 'disabled'));
      expect(await codeOf(vote(ports, created, cast.of('p-owner2'), 'ca-owner'))).to.equal('E_APPROVAL');
    });

    it('signed about another request is refused on this one (E6)', async () => {
      const [first, second] = [await destroy(), await destroy()];
      const decision = decide(cast.of('p-sec'), first.request, 'security-administrator', 'APPROVE', NOW);
      const hand = decideRequest(ports, { requestId: second.request.id, decision, source: SOURCE }, proposer());
      expect(await codeOf(hand)).to.equal('E_APPROVAL');
      const mixed = makeDecision(cast.of('p-sec'), first.request, 'security-administrator', {
        requestId: second.request.id,
      });
      const signed = signDecision(cast.of('p-sec'), mixed);
      const forged = decideRequest(
        ports,
        { requestId: second.request.id, decision: signed, source: SOURCE },
        proposer(),
      );
      expect(await codeOf(forged)).to.equal('E_APPROVAL');
    });

    it('of another instance is refused, as is its request (E6)', async () => {
      const created = await destroy();
      const elsewhere = { ...ports, environmentName: 'production/kmc-test' };
      expect(await codeOf(vote(elsewhere, created, cast.of('p-sec'), 'security-administrator'))).to.equal('E_APPROVAL');
    });

    it('with another signature or outside of its time is refused', async () => {
      const created = await destroy();
      const decision = decide(cast.of('p-sec'), created.request, 'security-administrator', 'APPROVE', NOW);
      const forged = { ...decision, body: { ...decision.body, decision: 'REJECT' } };
      const hand = (one: unknown): Promise<unknown> =>
        decideRequest(ports, { requestId: created.request.id, decision: one, source: SOURCE }, proposer());
      expect(await codeOf(hand(forged))).to.equal('E_SIGNATURE');
      const ahead = decide(
        cast.of('p-sec'),
        created.request,
        'security-administrator',
        'APPROVE',
        new Date(NOW.getTime() + 121_000),
      );
      expect(await codeOf(hand(ahead))).to.equal('E_TIME');
      expect(await codeOf(hand({ ...decision, extra: 1 }))).to.equal('E_SCHEMA');
      expect(
        await codeOf(decideRequest(ports, { requestId: 'rq-none', decision, source: SOURCE }, proposer())),
      ).to.equal('E_NOT_FOUND');
    });

    it('to reject ends the request', async () => {
      const created = await destroy();
      await vote(ports, created, cast.of('p-sec'), 'security-administrator');
      expect((await vote(ports, created, cast.of('p-owner'), 'ca-owner', 'REJECT')).state).to.equal('REJECTED');
      expect(await codeOf(vote(ports, created, cast.of('p-ca'), 'ca-operator'))).to.equal('E_STATE');
    });

    it('that is withdrawn takes the quorum away, and is not given again (E5)', async () => {
      const created = await destroy();
      await vote(ports, created, cast.of('p-sec'), 'security-administrator');
      await vote(ports, created, cast.of('p-owner'), 'ca-owner');
      expect((await vote(ports, created, cast.of('p-owner'), 'ca-owner', 'WITHDRAW')).state).to.equal('OPEN');
      expect(await codeOf(vote(ports, created, cast.of('p-owner'), 'ca-owner'))).to.equal('E_SAME_PERSON');
      expect(await codeOf(vote(ports, created, cast.of('p-owner'), 'ca-owner', 'WITHDRAW'))).to.equal('E_STATE');
      expect(await codeOf(vote(ports, created, cast.of('p-ca'), 'ca-operator', 'WITHDRAW'))).to.equal('E_STATE');
      expect((await vote(ports, created, cast.of('p-ca'), 'ca-operator')).state).to.equal('QUORUM');
    });

    it('can be withdrawn by somebody who lost the role since', async () => {
      const created = await destroy();
      await vote(ports, created, cast.of('p-owner'), 'ca-owner');
      await ports.database.transaction((tx) => tx.people.withdrawRole('p-owner', { role: 'ca-owner' }));
      expect((await vote(ports, created, cast.of('p-owner'), 'ca-owner', 'WITHDRAW')).state).to.equal('OPEN');
    });

    it('takes part in one quorum only when many come at once', async () => {
      const created = await destroy();
      const voters = [
        ['p-sec', 'security-administrator'],
        ['p-owner', 'ca-owner'],
        ['p-owner2', 'ca-owner'],
        ['p-ca', 'ca-operator'],
      ] as const;
      await Promise.all(voters.map(([id, role]) => vote(ports, created, cast.of(id), role)));
      expect(await stateOf(created)).to.equal('QUORUM');
      expect((await events(created)).filter((event) => event.startsWith('request.quorum'))).to.have.length(1);
    });
  });

  it('an approval file verifies offline with the decisions in force, and only those', async () => {
    const created = await destroy();
    await vote(ports, created, cast.of('p-sec'), 'security-administrator');
    await vote(ports, created, cast.of('p-owner2'), 'ca-owner');
    await vote(ports, created, cast.of('p-owner2'), 'ca-owner', 'WITHDRAW');
    await vote(ports, created, cast.of('p-owner'), 'ca-owner');
    const text = await exportApproval(ports, created.request.id);
    expect(await exportApproval(ports, created.request.id)).to.equal(text);
    const verified = verifyApprovalFile(text, { anchors: [cast.ca.certificate] });
    expect(verified.requestDigest).to.equal(created.digest);
    expect(verified.words).to.deep.equal(created.words);
    expect(verified.evaluation.counted.map((one) => one.person)).to.have.members(['p-sec', 'p-owner']);
    expect(await codeOf(exportApproval(ports, 'rq-none'))).to.equal('E_NOT_FOUND');
  });
});
