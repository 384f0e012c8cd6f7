/** People, their accounts and what tells two accounts of one person (security-and-faults 4.E, E1). */
import { ROLES, type RoleName } from './roles.ts';

const PERSON_STATUSES = ['active', 'disabled', 'left'] as const;
export type PersonStatus = (typeof PERSON_STATUSES)[number];

export interface RoleGrant {
  readonly role: RoleName;
  /** Of a regional role: the region it counts in. */
  readonly region?: string;
}

const ACCOUNT_STATUSES = ['valid', 'suspended', 'revoked'] as const;
export type AccountStatus = (typeof ACCOUNT_STATUSES)[number];

/** One certificate of a person, issued by the administrator CA. Its key is the person's own; the service never holds it. */
export interface Account {
  /** `sm3:<hex>` of the certificate DER. */
  readonly certificateSm3: string;
  /** `sm3:<hex>` of the subjectPublicKeyInfo DER. */
  readonly kid: string;
  /** Serial number of the token (UKey) that holds the key. */
  readonly tokenSerial?: string;
  readonly status: AccountStatus;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly unit: string;
  readonly organisation: string;
  /** Code of the region the person works in; absent at the national centre. */
  readonly region?: string;
  readonly status: PersonStatus;
  /** Keyed digest of the person's official identity number, the same for every record of one human being. */
  readonly identityDigest?: string;
  readonly roles: readonly RoleGrant[];
  readonly accounts: readonly Account[];
}

/** The names of the roles that the person holds, each once. */
export function rolesOf(person: Person): Set<RoleName> {
  return new Set(person.roles.map((grant) => grant.role));
}

/** True when the person holds the role; a regional role only counts in the region of its grant. */
export function holdsRoleIn(person: Pick<Person, 'roles'>, role: RoleName, region?: string): boolean {
  return person.roles.some(
    (grant) => grant.role === role && (!ROLES[role].regional || (region !== undefined && grant.region === region)),
  );
}

/** The marks of one human being: two persons that share one of them are the same person. */
function identityMarks(person: Person): string[] {
  return [
    `person ${person.id}`,
    ...(person.identityDigest === undefined ? [] : [`identity ${person.identityDigest}`]),
    ...person.accounts.map((account) => `key ${account.kid}`),
    ...person.accounts.flatMap((account) =>
      account.tokenSerial === undefined ? [] : [`token ${account.tokenSerial}`],
    ),
  ];
}

/** True when both records are of one human being: same person, same key, same token or same identity number. */
export function isSamePerson(a: Person, b: Person): boolean {
  const marks = new Set(identityMarks(a));
  return identityMarks(b).some((mark) => marks.has(mark));
}

/** The person's account with that certificate, if it is fit at `at`: not suspended, not revoked, inside its validity. */
export function accountInForce(person: Person, certificateSm3: string, at: Date): Account | undefined {
  return person.accounts.find(
    (account) =>
      account.certificateSm3 === certificateSm3 &&
      account.status === 'valid' &&
      account.notBefore <= at &&
      at <= account.notAfter,
  );
}
