import { expect } from 'chai';
import type { ActionName } from '../../../src/domain/action.ts';
import type { DecisionBody } from '../../../src/domain/approval/decision.ts';
import {
  evaluateQuorum,
  REFUSAL_CODES,
  requireQuorum,
  type QuorumEvaluation,
  type QuorumPolicy,
  type RefusalReason,
} from '../../../src/domain/approval/evaluation.ts';
import type { ApprovalRequest } from '../../../src/domain/approval/request.ts';
import type { Person } from '../../../src/domain/person.ts';
import type { RoleName } from '../../../src/domain/roles.ts';
import { signedTime } from '../../../src/domain/signed-body.ts';
import { refusalOf } from '../refusal.ts';
import {
  makeActor,
  makeAdministratorCa,
  makeDecision,
  makeRequest,
  NOW,
  peopleMap,
  POLICIES,
  QUORUM_POLICY,
  type Actor,
  type AdministratorCa,
} from './cast.ts';

const LATER = new Date(NOW.getTime() + 3_600_000);

interface Vote {
  readonly actor: Actor;
  readonly role: RoleName;
  readonly body?: Partial<DecisionBody>;
}

describe('the evaluation of a request', () => {
  let ca: AdministratorCa;
  const cast = new Map<string, Actor>();
  const of = (id: string): Actor => {
    const actor = cast.get(id);
    if (actor === undefined) throw new Error(`no actor ${id}`);
    return actor;
  };

  before(async () => {
    ca = await makeAdministratorCa();
    const add = async (id: string, roles: readonly RoleName[], options = {}): Promise<void> => {
      cast.set(id, await makeActor(ca, id, roles, options));
    };
    await add('p-proposer', ['security-administrator', 'ca-owner']);
    await add('p-sec', ['security-administrator'], { unit: 'security' });
    await add('p-sec2', ['security-administrator'], { unit: 'security' });
    await add('p-owner', ['ca-owner'], { unit: 'pki' });
    await add('p-owner2', ['ca-owner'], { unit: 'pki' });
    await add('p-both', ['security-administrator', 'ca-owner'], { unit: 'pki' });
    await add('p-ca', ['ca-operator'], { unit: 'pki' });
    await add('p-sys', ['system-administrator'], { unit: 'operations' });
    await add('p-rec', ['recovery-officer'], { unit: 'recovery', organisation: 'kmc' });
    await add('p-rec2', ['recovery-officer'], { unit: 'recovery', organisation: 'kmc' });
    await add('p-rec3', ['recovery-officer'], { unit: 'court', organisation: 'court' });
    await add('p-auditadm', ['audit-administrator'], { unit: 'audit' });
    await add('p-auditor', ['auditor'], { unit: 'audit' });
    for (const n of [1, 2, 3]) await add(`p-cust${n}`, ['custodian'], { unit: 'custody' });
    await add('p-ra', ['ra-operator'], { region: '110000' });
    await add('p-ra-far', ['ra-operator'], { region: '650000' });
    await add('p-bj-sec', ['security-administrator'], { unit: 'bj-1', region: '110000' });
    await add('p-bj-owner', ['ca-owner'], { unit: 'bj-2', region: '110000' });
    await add('p-bj-owner2', ['ca-owner'], { unit: 'bj-3', region: '110000' });
    await add('p-nc-owner', ['ca-owner'], { unit: 'nc', region: '100000' });
    await add('p-nc-sec', ['security-administrator'], { unit: 'nc-2', region: '100000' });
    await add('p-nc-owner2', ['ca-owner'], { unit: 'nc', region: '100000' });
  });

  function judge(
    request: ApprovalRequest,
    given: readonly Vote[],
    change: { readonly people?: readonly Person[]; readonly policy?: QuorumPolicy; readonly at?: Date } = {},
  ): QuorumEvaluation {
    const people = peopleMap(...cast.values(), ...(change.people ?? []));
    const bodies = given.map(({ actor, role, body }) => makeDecision(actor, request, role, body));
    return evaluateQuorum(request, bodies, people, change.policy ?? QUORUM_POLICY, change.at ?? LATER);
  }

  function votes(...entries: readonly (readonly [string, RoleName])[]): Vote[] {
    return entries.map(([id, role]) => ({ actor: of(id), role }));
  }

  function reasons(evaluation: QuorumEvaluation): RefusalReason[] {
    return evaluation.refusals.map((one) => one.reason);
  }

  type Entry = readonly [string, RoleName];
  const SEC: Entry = ['p-sec', 'security-administrator'];
  const SEC2: Entry = ['p-sec2', 'security-administrator'];
  const OWNER: Entry = ['p-owner', 'ca-owner'];
  const OWNER2: Entry = ['p-owner2', 'ca-owner'];
  const CA: Entry = ['p-ca', 'ca-operator'];
  const SYS: Entry = ['p-sys', 'system-administrator'];

  const enough: readonly (readonly [string, ActionName, readonly Entry[]])[] = [
    ['L1: one approver', 'device.issue-token', [CA]],
    ['L1: an ra-operator of the region', 'device.issue-token', [['p-ra', 'ra-operator']]],
    ['L2: two of distinct roles', 'key.destroy', [SEC, OWNER]],
    ['L2 marked ops: with a system-administrator', 'root.rollout', [SYS, CA]],
    [
      'user recovery: recovery-officer and security-administrator',
      'recovery.user',
      [['p-rec', 'recovery-officer'], SEC],
    ],
    ['emergency: two security-administrators', 'root.declare-emergency', [SEC, SEC2]],
    ['audit: an audit-administrator and another role', 'audit.purge', [['p-auditadm', 'audit-administrator'], SEC]],
    ['L3: three, two roles, two units', 'policy.change', [SEC, OWNER, OWNER2]],
    ['T7: the three roles it names', 'root.activate', [SEC, OWNER, SYS]],
    [
      'judicial: two of two organisations',
      'recovery.judicial',
      [
        ['p-rec', 'recovery-officer'],
        ['p-rec3', 'recovery-officer'],
      ],
    ],
    [
      'L4: three custodians',
      'root-key.use',
      [
        ['p-cust1', 'custodian'],
        ['p-cust2', 'custodian'],
        ['p-cust3', 'custodian'],
      ],
    ],
    [
      'L3: all from the national centre',
      'policy.change',
      [
        ['p-nc-owner', 'ca-owner'],
        ['p-nc-sec', 'security-administrator'],
        ['p-nc-owner2', 'ca-owner'],
      ],
    ],
    [
      'L3: one province and one from elsewhere',
      'policy.change',
      [['p-bj-sec', 'security-administrator'], ['p-bj-owner', 'ca-owner'], OWNER],
    ],
  ];
  for (const [title, op, entries] of enough) {
    it(`finds the quorum: ${title}`, () => {
      const evaluation = judge(makeRequest(op), votes(...entries));
      expect(evaluation.outcome, reasons(evaluation).join()).to.equal('quorum');
      expect(evaluation.counted).to.have.length(entries.length);
      expect(refusalOf(() => requireQuorum(evaluation))).to.equal(undefined);
    });
    it(`finds no quorum with one approval less: ${title}`, () => {
      const evaluation = judge(makeRequest(op), votes(...entries.slice(1)));
      expect(evaluation.outcome).to.equal('open');
      expect(refusalOf(() => requireQuorum(evaluation))?.code).to.equal('E_QUORUM');
    });
  }

  const tooFew: readonly (readonly [string, ActionName, readonly Entry[], RefusalReason])[] = [
    ['L2 by two of one role', 'key.destroy', [OWNER, OWNER2], 'too-few-roles'],
    ['user recovery without recovery-officer', 'recovery.user', [SEC, OWNER], 'required-role-missing'],
    [
      'user recovery without security-administrator',
      'recovery.user',
      [['p-rec', 'recovery-officer'], CA],
      'required-role-missing',
    ],
    ['an audit request by operating roles alone', 'audit.purge', [SEC, OWNER], 'required-role-missing'],
    ['T1 without ca-owner', 'root.plan', [SEC, CA], 'required-role-missing'],
    ['T7 without system-administrator', 'root.activate', [SEC, OWNER, OWNER2], 'required-role-missing'],
    [
      'judicial within one organisation',
      'recovery.judicial',
      [
        ['p-rec', 'recovery-officer'],
        ['p-rec2', 'recovery-officer'],
      ],
      'too-few-organisations',
    ],
    ['L3 in one unit', 'policy.change', [['p-both', 'security-administrator'], OWNER, OWNER2], 'too-few-units'],
    [
      'L3 of one province',
      'policy.change',
      [
        ['p-bj-sec', 'security-administrator'],
        ['p-bj-owner', 'ca-owner'],
        ['p-bj-owner2', 'ca-owner'],
      ],
      'one-province',
    ],
  ];
  for (const [title, op, entries, reason] of tooFew) {
    it(`finds no quorum: ${title}`, () => {
      const evaluation = judge(makeRequest(op), votes(...entries));
      expect(evaluation.outcome).to.equal('open');
      expect(reasons(evaluation)).to.deep.equal([reason]);
    });
  }

  it('counts nobody for an act that bundle-signers decide', () => {
    const evaluation = judge(makeRequest('manifest.publish'), votes(['p-cust1', 'custodian'], SEC, OWNER));
    expect(evaluation.counted).to.deep.equal([]);
  });

  describe('does not count a decision', () => {
    const request = makeRequest('key.destroy');
    function only(vote: Vote, change: Parameters<typeof judge>[2] = {}): QuorumEvaluation {
      return judge(request, [vote], change);
    }
    function expectReason(evaluation: QuorumEvaluation, reason: RefusalReason): void {
      expect(evaluation.counted).to.deep.equal([]);
      expect(evaluation.refusals[0]).to.include({ reason, code: REFUSAL_CODES[reason] });
    }

    it('of the proposer (E2)', () => {
      expectReason(only({ actor: of('p-proposer'), role: 'ca-owner' }), 'proposer');
    });

    it('of the proposer under another account: same key, token or identity number (E1)', async () => {
      const proposer = of('p-proposer');
      const twins = [
        await makeActor(ca, 'p-twin1', ['ca-owner'], { key: proposer.key }),
        await makeActor(ca, 'p-twin2', ['ca-owner'], { tokenSerial: 'UK-1' }),
        await makeActor(ca, 'p-twin3', ['ca-owner'], { identityDigest: `sm3:${'7'.repeat(64)}` }),
      ];
      const marked: Person = {
        ...proposer.person,
        identityDigest: `sm3:${'7'.repeat(64)}`,
        accounts: proposer.person.accounts.map((account) => ({ ...account, tokenSerial: 'UK-1' })),
      };
      for (const twin of twins) {
        const evaluation = only({ actor: twin, role: 'ca-owner' }, { people: [twin.person, marked] });
        expectReason(evaluation, 'proposer');
      }
    });

    it('of a person who approved already under another account (E1)', async () => {
      const first = await makeActor(ca, 'p-one', ['ca-owner', 'ca-operator'], { tokenSerial: 'UK-2' });
      for (const options of [{ key: first.key }, { tokenSerial: 'UK-2' }]) {
        const second = await makeActor(ca, 'p-one-again', ['security-administrator'], options);
        const pair = [
          { actor: first, role: 'ca-owner' as const },
          { actor: second, role: 'security-administrator' as const },
        ];
        const evaluation = judge(request, pair, { people: [first.person, second.person] });
        expect(evaluation.outcome).to.equal('open');
        expect(evaluation.counted.map((one) => one.person)).to.deep.equal(['p-one']);
        expect(evaluation.refusals[0]).to.include({
          reason: 'same-person',
          code: 'E_SAME_PERSON',
          person: 'p-one-again',
        });
      }
    });

    it('of the same person a second time, in another role', () => {
      const both = of('p-both');
      const evaluation = judge(request, [
        { actor: both, role: 'ca-owner' },
        { actor: both, role: 'security-administrator' },
      ]);
      expect(evaluation.counted).to.have.length(1);
      expect(reasons(evaluation)).to.include('same-person');
    });

    it('of somebody who is not registered', async () => {
      const stranger = await makeActor(ca, 'p-stranger', ['ca-owner']);
      expectReason(only({ actor: stranger, role: 'ca-owner' }), 'person-unknown');
    });

    it('of a person who is disabled or has left (E2)', () => {
      for (const status of ['disabled', 'left'] as const) {
        const person = { ...of('p-owner').person, status };
        expectReason(only({ actor: of('p-owner'), role: 'ca-owner' }, { people: [person] }), 'person-not-active');
      }
    });

    it('of a person who lost the role since (E2)', () => {
      const person: Person = { ...of('p-owner').person, roles: [{ role: 'recovery-officer' }] };
      expectReason(only({ actor: of('p-owner'), role: 'ca-owner' }, { people: [person] }), 'role-not-held');
    });

    it('whose certificate was suspended, revoked or ran out since', () => {
      const { person } = of('p-owner');
      for (const change of [
        { status: 'suspended' },
        { status: 'revoked' },
        { notAfter: new Date(LATER.getTime() - 1000) },
      ] as const) {
        const people = [{ ...person, accounts: person.accounts.map((account) => ({ ...account, ...change })) }];
        expectReason(only({ actor: of('p-owner'), role: 'ca-owner' }, { people }), 'certificate-not-in-force');
      }
    });

    it('with the certificate of another person', () => {
      const { certSm3 } = makeDecision(of('p-sec'), request, 'security-administrator');
      expectReason(only({ actor: of('p-owner'), role: 'ca-owner', body: { certSm3 } }), 'certificate-not-in-force');
    });

    it('in a role that does not approve the act', () => {
      for (const [id, role] of [
        ['p-rec', 'recovery-officer'],
        ['p-auditor', 'auditor'],
        ['p-auditadm', 'audit-administrator'],
        ['p-sys', 'system-administrator'],
        ['p-cust1', 'custodian'],
      ] as const) {
        expectReason(only({ actor: of(id), role }), 'role-does-not-approve');
      }
    });

    it('of an ra-operator of another region', () => {
      const token = makeRequest('device.issue-token');
      const evaluation = judge(token, votes(['p-ra-far', 'ra-operator']));
      expect(reasons(evaluation)[0]).to.equal('role-not-held');
      expect(judge(token, votes(['p-ra', 'ra-operator'])).outcome).to.equal('quorum');
    });

    it('that was signed for another request, environment or instance (E6)', () => {
      const others = [
        makeRequest('key.destroy', { id: 'rq-2' }),
        makeRequest('key.destroy', { environment: 'production/kmc-test' }),
        makeRequest('key.destroy', { environment: 'development/kmc-two' }),
        makeRequest('key.destroy', { targetVersion: '18' }),
        makeRequest('key.destroy', { params: { keyId: 'other' } }),
      ];
      for (const other of others) {
        const body = makeDecision(of('p-owner'), other, 'ca-owner');
        const evaluation = evaluateQuorum(request, [body], peopleMap(...cast.values()), QUORUM_POLICY, LATER);
        expectReason(evaluation, 'other-request');
      }
    });

    it('outside of its time: before the request, after the expiry, ahead of the clock (E5, E8)', () => {
      const at = (seconds: number): string => signedTime(new Date(NOW.getTime() + seconds * 1000));
      const vote = (decidedAt: string): Vote => ({ actor: of('p-owner'), role: 'ca-owner', body: { decidedAt } });
      expectReason(only(vote(at(-121))), 'decided-before-request');
      expect(only(vote(at(-119))).counted).to.have.length(1);
      expectReason(only(vote(at(2 * 86_400))), 'decided-after-expiry');
      expect(
        only(vote(at(2 * 86_400 - 1)), { at: new Date(NOW.getTime() + 2 * 86_400_000 - 1000) }).counted,
      ).to.have.length(1);
      expectReason(only(vote(at(3600 + 121))), 'decided-in-future');
      expect(only(vote(at(3600 + 119))).counted).to.have.length(1);
    });
  });

  it('is void once the request has expired (E5)', () => {
    const expiry = new Date(NOW.getTime() + 2 * 86_400_000);
    const full = votes(SEC, OWNER);
    expect(judge(makeRequest('key.destroy'), full, { at: new Date(expiry.getTime() - 1) }).outcome).to.equal('quorum');
    const evaluation = judge(makeRequest('key.destroy'), full, { at: expiry });
    expect(evaluation.outcome).to.equal('void');
    expect(refusalOf(() => requireQuorum(evaluation))?.code).to.equal('E_TIME');
  });

  it('is void under another policy, also one that asks for less (E3)', () => {
    const lowered: QuorumPolicy = {
      digest: `sm3:${'9'.repeat(64)}`,
      quorums: { ...POLICIES.quorums, L2: { ...POLICIES.quorums.L2, approvals: 1, distinctRoles: 1 } },
      regions: POLICIES.regions,
    };
    const evaluation = judge(makeRequest('key.destroy'), votes(SEC), { policy: lowered });
    expect(evaluation.outcome).to.equal('void');
    expect(refusalOf(() => requireQuorum(evaluation))?.code).to.equal('E_STALE');
  });

  it('ends by the rejection of an approving role, whatever was approved', () => {
    const evaluation = judge(makeRequest('key.destroy'), [
      ...votes(SEC, OWNER),
      { actor: of('p-ca'), role: 'ca-operator', body: { decision: 'REJECT' } },
    ]);
    expect(evaluation.outcome).to.equal('rejected');
    expect(refusalOf(() => requireQuorum(evaluation))?.code).to.equal('E_STATE');
  });

  it('where roles are required, only their rejection ends it', () => {
    const full = votes(['p-rec', 'recovery-officer'], SEC);
    const reject = (id: string, role: RoleName): Vote => ({ actor: of(id), role, body: { decision: 'REJECT' } });
    expect(judge(makeRequest('recovery.user'), [...full, reject('p-ca', 'ca-operator')]).outcome).to.equal('quorum');
    expect(judge(makeRequest('recovery.user'), [...full, reject('p-sec2', 'security-administrator')]).outcome).to.equal(
      'rejected',
    );
  });

  it('a rejection by somebody who may not decide ends nothing', () => {
    const reject: Vote = { actor: of('p-auditor'), role: 'auditor', body: { decision: 'REJECT' } };
    expect(judge(makeRequest('key.destroy'), [...votes(SEC, OWNER), reject]).outcome).to.equal('quorum');
    const own: Vote = { actor: of('p-proposer'), role: 'ca-owner', body: { decision: 'REJECT' } };
    expect(judge(makeRequest('key.destroy'), [...votes(SEC, OWNER), own]).outcome).to.equal('quorum');
  });

  it('lists every refusal with its person for whoever asks why', () => {
    const evaluation = judge(makeRequest('key.destroy'), votes(['p-auditor', 'auditor'], OWNER));
    const refusal = refusalOf(() => requireQuorum(evaluation));
    expect(refusal?.pointers.map((one) => one.pointer)).to.deep.equal(['/approvals/p-auditor', '/request', '/request']);
  });
});
