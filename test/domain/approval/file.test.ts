import { expect } from 'chai';
import {
  approvalFileText,
  readApprovalFile,
  verifyApprovalFile,
  type ApprovalFile,
} from '../../../src/domain/approval/file.ts';
import type { SignedDecision } from '../../../src/domain/approval/decision.ts';
import { requestDigest, type ApprovalRequest } from '../../../src/domain/approval/request.ts';
import { signedTime } from '../../../src/domain/signed-body.ts';
import { refusalOf } from '../refusal.ts';
import {
  decide,
  makeActor,
  makeAdministratorCa,
  makeDecision,
  makeRequest,
  NOW,
  POLICIES,
  QUORUM_POLICY,
  signDecision,
  type Actor,
  type AdministratorCa,
} from './cast.ts';

describe('an approval file', () => {
  const request = makeRequest('policy.change');
  let ca: AdministratorCa;
  let sec: Actor;
  let owner: Actor;
  let owner2: Actor;
  let approvals: SignedDecision[];

  before(async () => {
    ca = await makeAdministratorCa();
    sec = await makeActor(ca, 'p-sec', ['security-administrator'], { unit: 'security' });
    owner = await makeActor(ca, 'p-owner', ['ca-owner'], { unit: 'pki' });
    owner2 = await makeActor(ca, 'p-owner2', ['ca-owner'], { unit: 'pki' });
    approvals = [
      decide(sec, request, 'security-administrator'),
      decide(owner, request, 'ca-owner'),
      decide(owner2, request, 'ca-owner'),
    ];
  });

  const fileOf = (decisions: readonly SignedDecision[], of: ApprovalRequest = request): ApprovalFile => ({
    request: of,
    approvals: decisions,
    chain: [ca.certificate.toString('base64')],
  });
  const codeOf = (file: ApprovalFile | string, anchors: readonly Buffer[] = [ca.certificate]): string | undefined =>
    refusalOf(() => verifyApprovalFile(typeof file === 'string' ? file : approvalFileText(file), { anchors }))?.code;

  it('verifies with the certificate of the administrator CA alone', () => {
    const verified = verifyApprovalFile(approvalFileText(fileOf(approvals)), { anchors: [ca.certificate] });
    expect(verified.requestDigest).to.equal(requestDigest(request));
    expect(verified.words).to.have.length(8);
    expect(verified.evaluation.counted.map((one) => one.person)).to.deep.equal(['p-sec', 'p-owner', 'p-owner2']);
    expect(verified.evaluation.counted.map((one) => one.unit)).to.deep.equal(['security', 'pki', 'pki']);
  });

  it('verifies under the policy it was made under', () => {
    const text = approvalFileText(fileOf(approvals));
    expect(verifyApprovalFile(text, { anchors: [ca.certificate], policy: QUORUM_POLICY }).evaluation.outcome).to.equal(
      'quorum',
    );
    const other = { ...QUORUM_POLICY, digest: `sm3:${'0'.repeat(64)}` };
    expect(refusalOf(() => verifyApprovalFile(text, { anchors: [ca.certificate], policy: other }))?.code).to.equal(
      'E_STALE',
    );
    const stricter = {
      ...QUORUM_POLICY,
      quorums: { ...POLICIES.quorums, L3: { ...POLICIES.quorums.L3, approvals: 4 } },
    };
    expect(refusalOf(() => verifyApprovalFile(text, { anchors: [ca.certificate], policy: stricter }))?.code).to.equal(
      'E_QUORUM',
    );
  });

  it('is read back as it was written, and two exports are the same bytes', () => {
    const text = approvalFileText(fileOf(approvals));
    expect(approvalFileText(readApprovalFile(text))).to.equal(text);
  });

  it('does not verify with fewer approvals, or with one twice', () => {
    expect(codeOf(fileOf(approvals.slice(1)))).to.equal('E_QUORUM');
    expect(codeOf(fileOf([...approvals.slice(0, 2), ...approvals.slice(1, 2)]))).to.equal('E_SAME_PERSON');
  });

  it('does not verify when anything of the request was changed', () => {
    for (const change of [
      { reason: 'another' },
      { targetVersion: '18' },
      { params: { digest: 'x' } },
      { proposer: 'p-else' },
    ]) {
      expect(codeOf(fileOf(approvals, { ...request, ...change }))).to.equal('E_APPROVAL');
    }
  });

  it('does not verify when a decision was changed', () => {
    const [first, ...rest] = approvals;
    if (first === undefined) throw new Error('no approvals');
    const changed = { ...first, body: { ...first.body, role: 'ca-owner' as const } };
    expect(codeOf(fileOf([changed, ...rest]))).to.equal('E_SIGNATURE');
  });

  it('does not verify under another CA, though the file brings its own', async () => {
    const stranger = await makeAdministratorCa('Other CA');
    expect(codeOf(fileOf(approvals), [stranger.certificate])).to.equal('E_CERT');
    const forged = await makeActor(stranger, 'p-sec', ['security-administrator']);
    const forgery = decide(forged, request, 'security-administrator');
    const file = {
      ...fileOf([forgery, ...approvals.slice(1)]),
      chain: [ca.certificate, stranger.certificate].map((der) => der.toString('base64')),
    };
    expect(codeOf(file)).to.equal('E_CERT');
  });

  it('does not verify when a certificate names another person than the approval', () => {
    const claimed = signDecision(owner, makeDecision(owner, request, 'security-administrator', { approver: 'p-sec' }));
    expect(codeOf(fileOf([claimed, ...approvals.slice(1)]))).to.equal('E_APPROVAL');
  });

  it('does not verify when two approvers have one key', async () => {
    const twin = await makeActor(ca, 'p-twin', ['security-administrator'], { unit: 'security', key: owner.key });
    expect(codeOf(fileOf([decide(twin, request, 'security-administrator'), ...approvals.slice(1)]))).to.equal(
      'E_SAME_PERSON',
    );
  });

  it('does not verify when the proposer approves, or a role that does not', async () => {
    const proposer = await makeActor(ca, 'p-proposer', ['security-administrator']);
    expect(codeOf(fileOf([decide(proposer, request, 'security-administrator'), ...approvals.slice(1)]))).to.equal(
      'E_SAME_PERSON',
    );
    const auditor = await makeActor(ca, 'p-auditor', ['auditor']);
    expect(codeOf(fileOf([...approvals, decide(auditor, request, 'auditor')]))).to.equal('E_FORBIDDEN');
  });

  it('does not verify when a certificate had run out at the time of the decision', async () => {
    const short = await makeActor(ca, 'p-short', ['security-administrator'], {
      unit: 'security',
      notAfter: new Date(NOW.getTime() + 30_000),
    });
    const inTime = decide(short, request, 'security-administrator', 'APPROVE', new Date(NOW.getTime() + 29_000));
    expect(codeOf(fileOf([decide(short, request, 'security-administrator'), ...approvals.slice(1)]))).to.equal(
      'E_CERT',
    );
    const together = [
      inTime,
      ...[owner, owner2].map((actor) =>
        decide(actor, request, 'ca-owner', 'APPROVE', new Date(NOW.getTime() + 20_000)),
      ),
    ];
    expect(codeOf(fileOf(together))).to.equal(undefined);
  });

  it('does not verify with a rejection among the approvals', () => {
    const reject = signDecision(
      owner2,
      makeDecision(owner2, request, 'ca-owner', { decision: 'REJECT', decidedAt: signedTime(NOW) }),
    );
    expect(codeOf(fileOf([...approvals.slice(0, 2), reject]))).to.equal('E_STATE');
  });

  it('is refused when it is no such file', () => {
    const text = approvalFileText(fileOf(approvals));
    expect(codeOf('')).to.equal('E_JSON');
    expect(codeOf('[]')).to.equal('E_SCHEMA');
    expect(codeOf(text.replace('"chain"', '"chains"'))).to.equal('E_SCHEMA');
    expect(codeOf(text.replace('{', '{"approvals":[],'))).to.equal('E_JSON');
    expect(codeOf(`${text.trimEnd().slice(0, -1)},"padding":"${'x'.repeat(1_100_000)}"}`)).to.be.oneOf([
      'E_SIZE',
      'E_JSON',
    ]);
  });
});
