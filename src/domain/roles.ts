/**
 * The one table of roles (enrolment-and-root-upgrade D.3): what each may propose and approve, and which two never stand
 * in one person. No other file and no document knows another role name.
 */
import { KmcError } from '../errors.ts';
import type { ApprovalClass } from './quorum.ts';

export const ROLE_NAMES = [
  'system-administrator',
  'security-administrator',
  'audit-administrator',
  'auditor',
  'ca-owner',
  'ca-operator',
  'ra-operator',
  'custodian',
  'bundle-signer',
  'recovery-officer',
  'witness',
] as const;
export type RoleName = (typeof ROLE_NAMES)[number];

/** `witness` is neither: it is filled anew for each ceremony. */
export type RoleKind = 'operating' | 'audit' | 'ceremony';

/** The part of the table that a class of requests does not say: only requests that carry the mark. */
export type RequestMark = 'ops' | 'audit' | 'recovery';

export interface Role {
  readonly kind: RoleKind;
  /** The grant names one region and counts in that region alone. */
  readonly regional: boolean;
  readonly does: string;
  readonly proposes: RequestScope;
  readonly approves: RequestScope;
}

/** Requests of these classes, and requests with one of these marks in any class. */
export interface RequestScope {
  readonly classes: readonly ApprovalClass[];
  readonly marks: readonly RequestMark[];
}

const NOTHING: RequestScope = { classes: [], marks: [] };

export const ROLES: Readonly<Record<RoleName, Role>> = {
  'system-administrator': {
    kind: 'operating',
    regional: false,
    does: 'operations: nodes, settings, backups, waves',
    proposes: { classes: [], marks: ['ops'] },
    approves: { classes: [], marks: ['ops'] },
  },
  'security-administrator': {
    kind: 'operating',
    regional: false,
    does: 'policy, roles, seal, incidents',
    proposes: { classes: ['L1', 'L2', 'L3', 'L4'], marks: [] },
    approves: { classes: ['L1', 'L2', 'L3'], marks: [] },
  },
  'audit-administrator': {
    kind: 'audit',
    regional: false,
    does: 'appoints auditors; retention and archive of the audit log',
    proposes: { classes: [], marks: ['audit'] },
    approves: { classes: [], marks: ['audit'] },
  },
  auditor: {
    kind: 'audit',
    regional: false,
    does: 'pulls and verifies the log, attests evidence digests, attends L4',
    proposes: NOTHING,
    approves: NOTHING,
  },
  'ca-owner': {
    kind: 'operating',
    regional: false,
    does: 'answers for the hierarchies: root-upgrade plan, certification authorities',
    proposes: { classes: ['L2', 'L3', 'L4'], marks: [] },
    approves: { classes: ['L2', 'L3'], marks: [] },
  },
  'ca-operator': {
    kind: 'operating',
    regional: false,
    does: 'certificates, CRL and OCSP, key pools',
    proposes: { classes: ['L1', 'L2'], marks: [] },
    approves: { classes: ['L1', 'L2'], marks: [] },
  },
  'ra-operator': {
    kind: 'operating',
    regional: true,
    does: 'registers devices and issues tokens in the own region',
    proposes: { classes: ['L1', 'L2'], marks: [] },
    approves: { classes: ['L1'], marks: [] },
  },
  custodian: {
    kind: 'operating',
    regional: false,
    does: 'holds a share: unseals the service, opens the ceremony keystore',
    proposes: NOTHING,
    approves: { classes: ['L4'], marks: [] },
  },
  'bundle-signer': {
    kind: 'operating',
    regional: false,
    does: 'signs manifests and vouchers with a personal key',
    proposes: NOTHING,
    approves: NOTHING, // its signature on the manifest or voucher is the approval
  },
  'recovery-officer': {
    kind: 'operating',
    regional: false,
    does: 'key recovery',
    proposes: { classes: [], marks: ['recovery'] },
    approves: { classes: [], marks: ['recovery'] },
  },
  witness: {
    kind: 'ceremony',
    regional: false,
    does: 'in a ceremony: initials each step, types the time, signs the close',
    proposes: NOTHING,
    approves: NOTHING,
  },
};

/** The roles of one kind, in the order of the table. */
function rolesOfKind(kind: RoleKind): RoleName[] {
  return ROLE_NAMES.filter((role) => ROLES[role].kind === kind);
}

export const OPERATING_ROLES: readonly RoleName[] = rolesOfKind('operating');
export const AUDIT_ROLES: readonly RoleName[] = rolesOfKind('audit');

export type RolePair = readonly [RoleName, RoleName];

/**
 * The pairs that never stand in one person, under any number of accounts. Each unordered pair stands once, the role
 * that comes first in ROLE_NAMES first. A witness is excluded per ceremony (`excludedInCeremony`).
 */
export const EXCLUDED_PAIRS: readonly RolePair[] = [
  ['system-administrator', 'security-administrator'],
  ['system-administrator', 'custodian'],
  ['ca-operator', 'custodian'],
  ['custodian', 'bundle-signer'],
  ...AUDIT_ROLES.flatMap((audit) => OPERATING_ROLES.map((operating) => orderedPair(audit, operating))),
];

/** The pair with the role that comes first in ROLE_NAMES first. */
export function orderedPair(a: RoleName, b: RoleName): RolePair {
  return ROLE_NAMES.indexOf(a) < ROLE_NAMES.indexOf(b) ? [a, b] : [b, a];
}

/** True for a name of the table. */
export function isRoleName(name: string): name is RoleName {
  return (ROLE_NAMES as readonly string[]).includes(name);
}

/**
 * The excluded pairs among the roles that one person holds or would hold. `pairs` is the table, or the table with the
 * pairs that policy adds.
 */
export function roleConflicts(roles: Iterable<RoleName>, pairs: readonly RolePair[] = EXCLUDED_PAIRS): RolePair[] {
  const held = new Set(roles);
  return pairs.filter(([a, b]) => held.has(a) && held.has(b));
}

/**
 * Refuses roles that exclude each other.
 * @throws KmcError E_FORBIDDEN naming the two roles.
 */
export function requireCompatibleRoles(roles: Iterable<RoleName>, pairs: readonly RolePair[] = EXCLUDED_PAIRS): void {
  const [first] = roleConflicts(roles, pairs);
  if (first === undefined) return;
  throw new KmcError(
    'E_FORBIDDEN',
    `One person cannot hold both ${first[0]} and ${first[1]}. Grant one of them to somebody else.`,
  );
}

/** In one ceremony a witness holds no other role; the pairs of the table hold as well. */
export function excludedInCeremony(a: RoleName, b: RoleName): boolean {
  return a !== b && (a === 'witness' || b === 'witness' || roleConflicts([a, b]).length > 0);
}
