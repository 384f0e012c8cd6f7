import { expect } from 'chai';
import { policyChanges, policyChangeText } from '../../../src/domain/policy-diff.ts';
import { policyBody, policyDigest, type PolicySet } from '../../../src/domain/policy.ts';
import type { SignedObject } from '../../../src/domain/signed-body.ts';
import { createRequest, type CreatedRequest } from '../../../src/flows/approvals/create-request.ts';
import { executeRequest } from '../../../src/flows/approvals/execute-request.ts';
import { supersedeRequests } from '../../../src/flows/approvals/supersede-requests.ts';
import { changePolicyHandler, POLICY_TARGET } from '../../../src/flows/policy/change-policy.ts';
import { checkPolicy } from '../../../src/flows/policy/check-policy.ts';
import { pinPolicy } from '../../../src/flows/policy/pin-policy.ts';
import { POLICIES, POLICY_DIGEST } from '../../domain/approval/cast.ts';
import { refusalFrom } from '../../domain/refusal.ts';
import { forEachDatabase } from '../../store/databases.ts';
import {
  approvalInstance,
  callerOf,
  countingHandler,
  eventsOf,
  open,
  SOURCE,
  SYSTEM,
  vote,
  type Cast,
  type TestPorts,
} from '../approvals/approval-instance.ts';

/** The files after an edit: one number and the version. */
const NEW_SET: PolicySet = { ...POLICIES, version: '2', auditRetentionDays: POLICIES.auditRetentionDays + 100 };
const NEW_DIGEST = policyDigest(NEW_SET);

/** The parameters of a request that puts the set in force. */
function changeTo(set: PolicySet) {
  const policy = policyBody(set);
  const changes = policyChanges(policyBody(POLICIES), policy).map(policyChangeText);
  return { digest: policyDigest(set), version: set.version, policy, changes };
}

forEachDatabase('the policy in force', (fixture) => {
  const instance = approvalInstance(
    fixture,
    () => ({
      'policy.change': changePolicyHandler({ policies: POLICIES, policyDigest: POLICY_DIGEST }),
      'key.destroy': countingHandler(),
    }),
    { pinned: false },
  );
  let cast: Cast;
  let ports: TestPorts;
  let renewed: TestPorts;
  beforeEach(() => {
    ({ cast, ports } = instance());
    renewed = { ...ports, policies: NEW_SET, policyDigest: NEW_DIGEST };
  });

  const codeOf = async (work: Promise<unknown>): Promise<string | undefined> => (await refusalFrom(work))?.code;
  const propose = (params: SignedObject, targetId = POLICY_TARGET): Promise<CreatedRequest> =>
    createRequest(
      ports,
      { op: 'policy.change', targetId, params, reason: 'longer retention', source: SOURCE },
      callerOf(cast.of('p-proposer')),
    );
  const approve = async (created: CreatedRequest): Promise<void> => {
    await vote(ports, created, cast.of('p-sec'), 'security-administrator');
    await vote(ports, created, cast.of('p-owner'), 'ca-owner');
    await vote(ports, created, cast.of('p-owner2'), 'ca-owner');
  };
  const execute = ({ request }: CreatedRequest) =>
    executeRequest(ports, { requestId: request.id, source: SOURCE }, SYSTEM);

  it('is pinned once, and only the files of that digest start', async () => {
    expect(await codeOf(checkPolicy(ports))).to.equal('E_POLICY');
    await pinPolicy(ports, { source: SOURCE }, SYSTEM);
    expect(await codeOf(checkPolicy(ports))).to.equal(undefined);
    expect(await codeOf(checkPolicy(renewed))).to.equal('E_POLICY');
    expect(await codeOf(pinPolicy(renewed, { source: SOURCE }, SYSTEM))).to.equal('E_CONFLICT');
    expect(await eventsOf(ports.database, 'policy', POLICY_TARGET)).to.deep.equal(['policy.pin success']);
  });

  it('changes by a request approved under the one before, and old processes stop', async () => {
    await pinPolicy(ports, { source: SOURCE }, SYSTEM);
    const left = await open(ports, 'key.destroy', callerOf(cast.of('p-proposer')));
    const created = await propose(changeTo(NEW_SET));
    expect(created.request).to.include({
      preState: 'PINNED',
      targetVersion: '1',
      policy: 'L3@1',
      policyDigest: POLICY_DIGEST,
    });
    await approve(created);
    await execute(created);
    expect(await codeOf(checkPolicy(ports))).to.equal('E_POLICY');
    expect(await codeOf(checkPolicy(renewed))).to.equal(undefined);
    expect(await codeOf(open(ports, 'key.destroy', callerOf(cast.of('p-proposer'))))).to.equal('E_POLICY');
    expect(await codeOf(vote(ports, left, cast.of('p-sec'), 'security-administrator'))).to.equal('E_POLICY');
    const current = await open(renewed, 'key.destroy', callerOf(cast.of('p-proposer')));
    expect(await supersedeRequests(ports, { source: SOURCE }, SYSTEM), 'by an old process').to.equal(0);
    expect(await supersedeRequests(renewed, { source: SOURCE }, SYSTEM)).to.equal(1);
    expect(current.request).to.include({ policy: 'L2@2', policyDigest: NEW_DIGEST });
    expect(await eventsOf(ports.database, 'policy', POLICY_TARGET)).to.deep.equal([
      'policy.pin success',
      'policy.change success',
    ]);
  });

  it('waits a day after its quorum in production, whatever the cool-down of its class, and can be stopped until then', async () => {
    await pinPolicy(ports, { source: SOURCE }, SYSTEM);
    ports = { ...ports, environment: 'production' };
    const created = await propose(changeTo(NEW_SET));
    await approve(created);
    const { clock } = instance();
    for (const seconds of [3601, 86_400 - 3602]) {
      clock.advance(seconds);
      const refused = await refusalFrom(execute(created));
      expect(refused?.code).to.equal('E_PENDING');
      expect(refused?.retryAfter).to.be.greaterThan(0);
    }
    await vote(ports, created, cast.of('p-owner'), 'ca-owner', 'WITHDRAW');
    expect(await codeOf(execute(created))).to.equal('E_QUORUM');
  });

  it('is not changed to itself, to an older version, or under another name', async () => {
    await pinPolicy(ports, { source: SOURCE }, SYSTEM);
    expect(await codeOf(propose(changeTo(POLICIES)))).to.equal('E_CONFLICT');
    expect(await codeOf(propose(changeTo({ ...NEW_SET, version: '1' })))).to.equal('E_CONFLICT');
    expect(await codeOf(propose(changeTo(NEW_SET), 'other'))).to.equal('E_NOT_FOUND');
  });

  it('is asked for with the whole set and with what it changes, neither more nor less', async () => {
    await pinPolicy(ports, { source: SOURCE }, SYSTEM);
    const good = changeTo(NEW_SET);
    const { changes: _, ...withoutChanges } = good;
    const faulty: readonly SignedObject[] = [
      {},
      withoutChanges,
      { ...good, digest: 'sm3:aa' },
      { ...good, digest: policyDigest({ ...NEW_SET, version: '3' }) },
      { ...good, version: '3' },
      { ...good, policy: policyBody({ ...NEW_SET, auditRetentionDays: 1 }) },
      { ...good, changes: [] },
      { ...good, changes: [...good.changes].reverse() },
      { ...good, changes: [...good.changes, 'raised quorums.L3.approvals: 3 -> 4'] },
      { ...good, more: 'x' },
    ];
    for (const params of faulty) {
      expect(await codeOf(propose(params)), JSON.stringify(params).slice(0, 100)).to.equal('E_SCHEMA');
    }
  });
});
