import { expect } from 'chai';
import {
  ACTION_NAMES,
  actionRule,
  ACTIONS,
  approversOf,
  BULK_REVOCATION_LIMIT,
  bulkRevocation,
  endsByRejection,
  isActionName,
  proposersOf,
  type ActionName,
} from '../../src/domain/action.ts';
import type { ApprovalClass } from '../../src/domain/quorum.ts';
import { ROLE_NAMES, type RoleName } from '../../src/domain/roles.ts';
import { refusalOf } from './refusal.ts';

/** D.3 for acts without a mark and without a region, class by class. */
const MATRIX: Readonly<
  Record<ApprovalClass, { readonly proposes: readonly RoleName[]; readonly approves: readonly RoleName[] }>
> = {
  L1: { proposes: ['security-administrator', 'ca-operator'], approves: ['security-administrator', 'ca-operator'] },
  L2: {
    proposes: ['security-administrator', 'ca-owner', 'ca-operator'],
    approves: ['security-administrator', 'ca-owner', 'ca-operator'],
  },
  L3: { proposes: ['security-administrator', 'ca-owner'], approves: ['security-administrator', 'ca-owner'] },
  judicial: { proposes: [], approves: [] },
  L4: { proposes: ['security-administrator', 'ca-owner'], approves: ['custodian'] },
};

/** What a mark adds. */
const MARKED: Readonly<Record<string, readonly RoleName[]>> = {
  ops: ['system-administrator'],
  audit: ['audit-administrator'],
  recovery: ['recovery-officer'],
};
/** What a region adds: the ra-operator, who approves L1 and proposes L1 and L2. */
const REGIONAL: Readonly<Record<string, { readonly proposes: boolean; readonly approves: boolean }>> = {
  L1: { proposes: true, approves: true },
  L2: { proposes: true, approves: false },
};

function expectedRoles(name: ActionName, column: 'proposes' | 'approves'): RoleName[] {
  const rule = actionRule(name);
  if (column === 'approves' && rule.decidedBy !== 'request') return [];
  const roles = new Set<RoleName>([
    ...MATRIX[rule.class][column],
    ...rule.marks.flatMap((mark) => MARKED[mark] ?? []),
    ...(rule.regional && REGIONAL[rule.class]?.[column] === true ? (['ra-operator'] as const) : []),
  ]);
  const only = column === 'approves' ? rule.onlyRoles : undefined;
  return ROLE_NAMES.filter((role) => roles.has(role) && (only?.includes(role) ?? true));
}

/** The examples that D.3 gives for each class. */
const CLASS_OF: Readonly<Record<ApprovalClass, readonly ActionName[]>> = {
  L1: ['device.issue-token'],
  L2: [
    'device.register-batch',
    'device.register-marked',
    'device.waive',
    'region.set-policy',
    'application.register',
    'root.plan',
    'root.pilot',
    'root.rollout',
    'root.ready',
    'root.migrated',
    'root.abort',
    'root.ready-again',
    'root.declare-emergency',
    'certificate.revoke-bulk',
    'key.destroy',
    'recovery.user',
    'person.appoint-auditor',
    'audit.set-retention',
    'audit.archive',
    'audit.purge',
  ],
  L3: [
    'root.activate',
    'root.retire',
    'root.clear-retirement',
    'root.remove',
    'root.roll-back',
    'authority.create-issuing',
    'authority.revoke',
    'authority.register-external',
    'policy.change',
    'person.grant-role',
    'person.appoint',
    'certificate.revoke-mass',
    'key.export',
  ],
  judicial: ['recovery.judicial'],
  L4: ['root.key', 'root.stage', 'root.close', 'root-key.use', 'manifest.publish', 'voucher.issue'],
};

describe('the action table', () => {
  for (const [approvalClass, names] of Object.entries(CLASS_OF)) {
    it(`has the examples of class ${approvalClass} in that class`, () => {
      for (const name of names) expect(actionRule(name).class, name).to.equal(approvalClass);
    });
  }

  for (const name of ACTION_NAMES) {
    it(`lets exactly the roles of D.3 propose and approve ${name}`, () => {
      const rule = actionRule(name);
      expect(proposersOf(rule), 'propose').to.deep.equal(expectedRoles(name, 'proposes'));
      expect(approversOf(rule), 'approve').to.deep.equal(expectedRoles(name, 'approves'));
    });
  }

  it('requires only roles that may approve, and never more than one approval can hold', () => {
    for (const name of ACTION_NAMES) {
      const rule = actionRule(name);
      expect(approversOf(rule), name).to.include.members([...rule.requiredRoles]);
    }
  });

  it('marks T4 to T7, resuming, backups and node settings as operations', () => {
    const marked = ACTION_NAMES.filter((name) => (ACTIONS[name].marks as readonly string[]).includes('ops'));
    expect(marked).to.have.members([
      'root.pilot',
      'root.rollout',
      'root.ready',
      'root.activate',
      'root.resume',
      'issuance.resume',
      'backup.create',
      'backup.restore',
      'node.configure',
    ]);
  });

  it('an auditor, a bundle-signer and a witness neither propose nor approve anything', () => {
    for (const name of ACTION_NAMES) {
      const roles = [...proposersOf(actionRule(name)), ...approversOf(actionRule(name))];
      expect(roles, name).not.to.include.members(['auditor']);
      expect(roles, name).not.to.include.members(['bundle-signer']);
      expect(roles, name).not.to.include.members(['witness']);
    }
  });

  it('audit requests need an audit-administrator, so operating roles alone cannot touch the log', () => {
    for (const name of ACTION_NAMES) {
      const rule = actionRule(name);
      if (rule.marks.includes('audit')) expect(rule.requiredRoles).to.deep.equal(['audit-administrator']);
    }
  });

  it('takes up to 500 certificates as a bulk revocation and more as a mass revocation', () => {
    expect(bulkRevocation(BULK_REVOCATION_LIMIT)).to.equal('certificate.revoke-bulk');
    expect(bulkRevocation(BULK_REVOCATION_LIMIT + 1)).to.equal('certificate.revoke-mass');
  });

  it('lets a rejection end a request when a required role gives it, or any approver where none is required', () => {
    expect(endsByRejection(actionRule('recovery.user'), 'recovery-officer')).to.equal(true);
    expect(endsByRejection(actionRule('recovery.user'), 'ca-owner')).to.equal(false);
    expect(endsByRejection(actionRule('key.destroy'), 'ca-owner')).to.equal(true);
    expect(endsByRejection(actionRule('key.destroy'), 'auditor')).to.equal(false);
  });

  it('refuses a name that is not an act', () => {
    for (const name of ['root.destroy', '', 'constructor', '__proto__']) {
      expect(isActionName(name)).to.equal(false);
      expect(refusalOf(() => actionRule(name))?.code).to.equal('E_SCHEMA');
    }
  });
});
