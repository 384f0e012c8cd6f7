/**
 * The acts that need more than one person (enrolment-and-root-upgrade D.3, A.5): one table from the act to its class,
 * its target, its marks and the roles that must be among the approvers. An act that is not in the table needs no request.
 */
import { KmcError } from '../errors.ts';
import type { ApprovalClass } from './quorum.ts';
import { ROLE_NAMES, ROLES, type RequestMark, type RequestScope, type RoleName } from './roles.ts';

/** What an act is done to. The target's state and version are part of what is approved. */
export type TargetKind =
  | 'application'
  | 'audit-log'
  | 'authority'
  | 'backup'
  | 'batch'
  | 'case'
  | 'device'
  | 'instance'
  | 'kek'
  | 'key'
  | 'manifest'
  | 'person'
  | 'policy'
  | 'region'
  | 'registration-authority'
  | 'root-key'
  | 'root-upgrade'
  | 'sealed-account'
  | 'supervised-authority'
  | 'voucher';

export interface ActionRule {
  readonly class: ApprovalClass;
  readonly target: TargetKind;
  /** For people: completes "asks to …". */
  readonly title: string;
  readonly marks: readonly RequestMark[];
  /** Each of these roles must be among those who approve, and a rejection by one of them ends the request. */
  readonly requiredRoles: readonly RoleName[];
  /** Only these roles approve, where the class alone would let in others. */
  readonly onlyRoles?: readonly RoleName[];
  /** Where the act asks for another number of distinct roles than its class. */
  readonly distinctRoles?: number;
  /** `params.region` names the region; regional roles propose and approve in their own region only. */
  readonly regional: boolean;
  /** `params.count` is stated and not above this. */
  readonly atMost?: number;
  /** The person whom the act takes something from has no voice in it: they could veto what protects the others. */
  readonly subjectHasNoVoice?: boolean;
  /** Least seconds between quorum and execution, where the act asks for more than its class. */
  readonly leastWaitSeconds?: number;
  /**
   * `signatures`: collected signature by signature from bundle-signers; `ceremony`: by the custodians in the ceremony that
   * makes it. No request decides these.
   */
  readonly decidedBy: 'request' | 'signatures' | 'ceremony';
}

type ActionOptions = Partial<Omit<ActionRule, 'class' | 'target' | 'title'>>;

function act(approvalClass: ApprovalClass, target: TargetKind, title: string, options: ActionOptions = {}): ActionRule {
  return {
    class: approvalClass,
    target,
    title,
    marks: [],
    requiredRoles: [],
    regional: false,
    decidedBy: 'request',
    ...options,
  };
}

const OPS: ActionOptions = { marks: ['ops'] };
const AUDIT: ActionOptions = { marks: ['audit'], requiredRoles: ['audit-administrator'] };
const SECURITY: ActionOptions = { requiredRoles: ['security-administrator'] };
const REGIONAL: ActionOptions = { regional: true };
const TAKES_AWAY: ActionOptions = { subjectHasNoVoice: true };
/** A day in which anybody who sees the announced change can still withdraw an approval or reject it. */
const POLICY_WAIT_SECONDS = 86_400;
const BY_SIGNERS: ActionOptions = { decidedBy: 'signatures' };
const IN_CEREMONY: ActionOptions = { decidedBy: 'ceremony' };

/** Certificates that one bulk revocation of class L2 may hold; more is a mass revocation of class L3. */
export const BULK_REVOCATION_LIMIT = 500;

export const ACTIONS = {
  // devices and regions
  'device.issue-token': act('L1', 'device', 'issue the enrolment token of a registered device', REGIONAL),
  'device.register-batch': act('L2', 'batch', 'register a batch of devices with their tokens', REGIONAL),
  'device.register-marked': act('L2', 'device', 'register a device of a marked profile', REGIONAL),
  'device.readmit': act('L1', 'device', 'readmit a device by its registered key', REGIONAL),
  'device.decommission': act('L2', 'device', 'take a device out of service for good', REGIONAL),
  'device.waive': act('L2', 'device', 'waive the migration of a device for a time', REGIONAL),
  'region.set-policy': act('L2', 'region', 'change the policy of a province', REGIONAL),
  // registration authorities: a province asks, the centre decides
  'registration-authority.apply': act('L2', 'registration-authority', 'put a registration authority forward', REGIONAL),
  'registration-authority.attest-documents': act(
    'L2',
    'registration-authority',
    'attest the documents of a registration authority',
    REGIONAL,
  ),
  'registration-authority.attest-premises': act(
    'L2',
    'registration-authority',
    'attest the premises of a registration authority',
    REGIONAL,
  ),
  'registration-authority.appoint-operators': act(
    'L2',
    'registration-authority',
    'state the operators of a registration authority',
    REGIONAL,
  ),
  'registration-authority.open': act(
    'L3',
    'registration-authority',
    'bring a registration authority into service (授牌)',
    REGIONAL,
  ),
  'registration-authority.suspend': act('L2', 'registration-authority', 'suspend a registration authority', REGIONAL),
  'registration-authority.resume': act(
    'L2',
    'registration-authority',
    'put a suspended registration authority into service again',
    REGIONAL,
  ),
  'registration-authority.close': act('L3', 'registration-authority', 'close a registration authority', REGIONAL),
  'registration-authority.amend': act(
    'L2',
    'registration-authority',
    'change the profiles and quotas of a registration authority',
    REGIONAL,
  ),
  // applications and authorities
  'application.register': act('L2', 'application', 'register an application, or certify a new key of one'),
  'application.grant': act('L2', 'application', 'let an application use a managed key', SECURITY),
  'application.withdraw-grant': act('L1', 'application', 'withdraw what an application may do with a managed key'),
  'application.suspend': act('L1', 'application', 'suspend an application'),
  'application.resume': act('L2', 'application', 'put a suspended application into service again'),
  'application.end': act('L2', 'application', 'end an application for good, with its certificates'),
  'authority.register-external': act('L3', 'authority', 'register an external certification authority'),
  'supervised-authority.register': act(
    'L3',
    'supervised-authority',
    'put a certification authority under supervision, or change where it publishes',
  ),
  'supervised-authority.end': act('L2', 'supervised-authority', 'end the supervision of a certification authority'),
  'authority.create-issuing': act('L3', 'authority', 'create an issuing certification authority'),
  'authority.revoke': act('L3', 'authority', 'revoke a certification authority'),
  'authority.import-legacy': act('L4', 'authority', 'import a legacy certification authority'),
  'issuance.resume': act('L2', 'instance', 'resume issuance', OPS),
  // certificates and keys
  'certificate.revoke-bulk': act('L2', 'batch', 'revoke up to 500 certificates', { atMost: BULK_REVOCATION_LIMIT }),
  'certificate.revoke-mass': act('L3', 'batch', 'revoke more than 500 certificates'),
  'key.suspend': act('L2', 'key', 'suspend a key'),
  'key.reactivate': act('L2', 'key', 'put a suspended key into use again'),
  'key.mark-compromised': act('L2', 'key', 'mark a key compromised', SECURITY),
  'key.destroy': act('L2', 'key', 'open the destruction window of a key'),
  'kek.rotate': act('L2', 'kek', 'make the next version of a key-encryption key', SECURITY),
  'kek.destroy': act('L2', 'kek', 'destroy an earlier version of a key-encryption key', SECURITY),
  'key.export': act('L3', 'key', 'export a managed key, wrapped, to another site'),
  'recovery.user': act('L2', 'key', 'recover a key for its user', {
    marks: ['recovery'],
    requiredRoles: ['recovery-officer', 'security-administrator'],
  }),
  'recovery.judicial': act('judicial', 'case', 'recover a key for a judicial case', { marks: ['recovery'] }),
  // people, policy, audit log
  'person.appoint': act('L3', 'person', 'appoint a person'),
  'person.grant-role': act('L3', 'person', 'grant a role'),
  'person.revoke-role': act('L3', 'person', 'take a role away', TAKES_AWAY),
  'person.replace-certificate': act('L3', 'person', 'replace the certificate of a person'),
  'person.suspend': act('L2', 'person', 'suspend a person', {
    ...TAKES_AWAY,
    requiredRoles: ['security-administrator'],
  }),
  'person.leave': act('L3', 'person', 'end the office of a person who leaves', TAKES_AWAY),
  'person.enable': act('L3', 'person', 'enable a disabled person again'),
  'person.appoint-auditor': act('L2', 'person', 'appoint an auditor', AUDIT),
  'policy.change': act('L3', 'policy', 'put other policy files in force', { leastWaitSeconds: POLICY_WAIT_SECONDS }),
  'break-glass.seal-account': act('L3', 'sealed-account', 'seal an account for break-glass'),
  'audit.set-retention': act('L2', 'audit-log', 'change the retention of the audit log', AUDIT),
  'audit.archive': act('L2', 'audit-log', 'archive a part of the audit log', AUDIT),
  'audit.purge': act('L2', 'audit-log', 'purge an archived part of the audit log', AUDIT),
  // operations
  'node.configure': act('L2', 'instance', 'change node or network settings', OPS),
  'backup.create': act('L1', 'backup', 'make a backup', OPS),
  'backup.restore': act('L2', 'backup', 'restore a backup', OPS),
  // root upgrade: the transitions of A.5
  'root.plan': act('L2', 'root-upgrade', 'freeze the plan (T1)', {
    requiredRoles: ['ca-owner', 'security-administrator'],
  }),
  'root.key': act('L4', 'root-upgrade', 'take over the new root (T2)', IN_CEREMONY),
  'root.stage': act('L4', 'root-upgrade', 'take over links and the signed manifest (T3)', IN_CEREMONY),
  'root.pilot': act('L2', 'root-upgrade', 'serve the pilot ring (T4)', {
    marks: ['ops'],
    requiredRoles: ['security-administrator', 'system-administrator'],
  }),
  'root.rollout': act('L2', 'root-upgrade', 'start the waves (T5)', OPS),
  'root.ready': act('L2', 'root-upgrade', 'declare the fleet ready (T6)', OPS),
  'root.activate': act('L3', 'root-upgrade', 'activate the new generation (T7)', {
    marks: ['ops'],
    requiredRoles: ['ca-owner', 'security-administrator', 'system-administrator'],
  }),
  'root.migrated': act('L2', 'root-upgrade', 'declare the fleet migrated (T8)'),
  'root.retire': act('L3', 'root-upgrade', 'date the end of the old root (T9)'),
  'root.clear-retirement': act('L3', 'root-upgrade', 'clear the date of the end of the old root (T9 taken back)'),
  'root.remove': act('L3', 'root-upgrade', 'remove the old root (T10)'),
  'root.close': act('L4', 'root-upgrade', 'close after the old root key is destroyed (T11)', IN_CEREMONY),
  'root.abort': act('L2', 'root-upgrade', 'give the upgrade up (R1)'),
  'root.roll-back': act('L3', 'root-upgrade', 'switch the issuer back (R2)'),
  'root.ready-again': act('L2', 'root-upgrade', 'return to ready after a roll-back (R3)'),
  'root.resume': act('L2', 'root-upgrade', 'resume a suspended upgrade', OPS),
  'root.declare-emergency': act('L2', 'root-upgrade', 'declare an emergency', {
    onlyRoles: ['security-administrator'],
    distinctRoles: 1,
  }),
  // root keys and what bundle-signers sign
  'root-key.use': act('L4', 'root-key', 'use a root key in a ceremony'),
  'root-key.rearm': act('L4', 'root-key', 'let a retired root key sign one more link certificate'),
  'root-key.destroy': act('L4', 'root-key', 'destroy a root key'),
  'manifest.publish': act('L4', 'manifest', 'publish a trust-bundle manifest', BY_SIGNERS),
  'voucher.issue': act('L4', 'voucher', 'issue a bootstrap voucher', BY_SIGNERS),
} as const satisfies Readonly<Record<string, ActionRule>>;

export type ActionName = keyof typeof ACTIONS;
export const ACTION_NAMES: readonly ActionName[] = Object.keys(ACTIONS).filter(isActionName);

/** True for a name of the table. */
export function isActionName(name: string): name is ActionName {
  return Object.hasOwn(ACTIONS, name);
}

/**
 * The rule of an act.
 * @throws KmcError E_SCHEMA for a name that is not in the table.
 */
export function actionRule(name: string): ActionRule {
  if (!isActionName(name)) throw new KmcError('E_SCHEMA', 'There is no such act. Use an act of the action table.');
  return ACTIONS[name];
}

function covers(scope: RequestScope, rule: ActionRule): boolean {
  return scope.classes.includes(rule.class) || rule.marks.some((mark) => scope.marks.includes(mark));
}

/** The roles that may propose the act (D.3, third column). */
export function proposersOf(rule: ActionRule): RoleName[] {
  return ROLE_NAMES.filter((name) => covers(ROLES[name].proposes, rule) && (rule.regional || !ROLES[name].regional));
}

/** The roles that may approve the act by a request (D.3, fourth column). Nobody where signatures or a ceremony decide. */
export function approversOf(rule: ActionRule): RoleName[] {
  if (rule.decidedBy !== 'request') return [];
  return ROLE_NAMES.filter(
    (name) =>
      covers(ROLES[name].approves, rule) &&
      (rule.regional || !ROLES[name].regional) &&
      (rule.onlyRoles?.includes(name) ?? true),
  );
}

/** The act that revokes that many certificates in one request. */
export function bulkRevocation(count: number): ActionName {
  return count > BULK_REVOCATION_LIMIT ? 'certificate.revoke-mass' : 'certificate.revoke-bulk';
}

/** True when a rejection in that role ends the request: a required role, or any approving role where none is required. */
export function endsByRejection(rule: ActionRule, role: RoleName): boolean {
  return rule.requiredRoles.length > 0 ? rule.requiredRoles.includes(role) : approversOf(rule).includes(role);
}
