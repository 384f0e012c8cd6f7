import { expect } from 'chai';
import { policyDigest, type PolicySet } from '../../../src/domain/policy.ts';
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
  AUDIT,
  callerOf,
  Cast,
  countingHandler,
  eventsOf,
  open,
  portsOn,
  SOURCE,
  StandingClock,
  SYSTEM,
  vote,
  type TestPorts,
} from '../approvals/approval-instance.ts';

/** The files after an edit: one number and the version. */
const NEW_SET: PolicySet = { ...POLICIES, version: '2', auditRetentionDays: POLICIES.auditRetentionDays + 100 };
const NEW_DIGEST = policyDigest(NEW_SET);

forEachDatabase('the policy in force', (fixture) => {
  let cast: Cast;
  let ports: TestPorts;
  let renewed: TestPorts;

  before(async () => {
    cast = await Cast.make();
  });
  beforeEach(async () => {
    const database = await fixture.open({ audit: AUDIT });
    const clock = new StandingClock();
    const handlers = {
      'policy.change': changePolicyHandler({ policies: POLICIES, policyDigest: POLICY_DIGEST }),
      'key.destroy': countingHandler(),
    };
    ports = portsOn(database, handlers, clock);
    renewed = { ...ports, policies: NEW_SET, policyDigest: NEW_DIGEST };
    await cast.enrolAll(database);
  });

  const codeOf = async (work: Promise<unknown>): Promise<string | undefined> => (await refusalFrom(work))?.code;
  const propose = (params: SignedObject, targetId = POLICY_TARGET): Promise<CreatedRequest> =>
    createRequest(
      ports,
      { op: 'policy.change', targetId, params, reason: 'longer retention', source: SOURCE },
      callerOf(cast.of('p-proposer')),
    );

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
    const created = await propose({ digest: NEW_DIGEST, version: '2' });
    expect(created.request).to.include({
      preState: 'PINNED',
      targetVersion: '1',
      policy: 'L3@1',
      policyDigest: POLICY_DIGEST,
    });
    await vote(ports, created, cast.of('p-sec'), 'security-administrator');
    await vote(ports, created, cast.of('p-owner'), 'ca-owner');
    await vote(ports, created, cast.of('p-owner2'), 'ca-owner');
    await executeRequest(ports, { requestId: created.request.id, source: SOURCE }, SYSTEM);
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

  it('is not changed to itself, to an older version, or under another name', async () => {
    await pinPolicy(ports, { source: SOURCE }, SYSTEM);
    expect(await codeOf(propose({ digest: POLICY_DIGEST, version: '2' }))).to.equal('E_CONFLICT');
    expect(await codeOf(propose({ digest: NEW_DIGEST, version: '1' }))).to.equal('E_CONFLICT');
    expect(await codeOf(propose({ digest: NEW_DIGEST, version: '2' }, 'other'))).to.equal('E_NOT_FOUND');
    for (const params of [
      {},
      { digest: 'sm3:aa', version: '2' },
      { digest: NEW_DIGEST, version: '2', more: 'x' },
    ] as const) {
      expect(await codeOf(propose(params))).to.equal('E_SCHEMA');
    }
  });
});
