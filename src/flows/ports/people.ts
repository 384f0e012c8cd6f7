/** People, the roles they hold and their accounts. The database itself refuses two roles that exclude each other. */
import type { AccountStatus, Person, PersonStatus, RoleGrant } from '../../domain/person.ts';
import type { RoleName } from '../../domain/roles.ts';
import type { Page } from './database.ts';

/** A person as stored; roles and accounts come with `find`. */
export interface PersonRow {
  readonly id: string;
  readonly name: string;
  readonly unit: string;
  readonly organisation: string;
  readonly region: string | undefined;
  readonly identityDigest: string | undefined;
  readonly status: PersonStatus;
  /** Rises by one with every change of the row. */
  readonly version: number;
  readonly createdAt: Date;
}

export interface AccountRow {
  /** `sm3:<hex>` of the certificate. */
  readonly certificateSm3: string;
  readonly kid: string;
  readonly personId: string;
  /** DER. */
  readonly certificate: Buffer;
  readonly tokenSerial: string | undefined;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly status: AccountStatus;
  readonly createdAt: Date;
}

/** A person with roles and accounts, and the version that a change must name. */
export interface StoredPerson extends Person {
  readonly version: number;
}

export interface PeopleReader {
  find(id: string): Promise<StoredPerson | undefined>;
  /** The holder of the account with that certificate, whatever the status of account and person. */
  findByCertificate(certificateSm3: string): Promise<StoredPerson | undefined>;
  /** The same by key. */
  findByKey(kid: string): Promise<StoredPerson | undefined>;
  /** The people with that identity number: one human being, so at most one row unless a record is wrong. */
  findByIdentity(identityDigest: string): Promise<StoredPerson | undefined>;
  /** Active people that hold the role, in any region, in the order of ids. */
  holders(role: RoleName): Promise<StoredPerson[]>;
  list(page: Page): Promise<StoredPerson[]>;
  /** The certificate (DER) of an account. */
  certificate(certificateSm3: string): Promise<Buffer | undefined>;
}

export interface PeopleWriter extends PeopleReader {
  /** False when the id or the identity number is taken. */
  insert(person: PersonRow): Promise<boolean>;
  /** Compare-and-set on the version. Of somebody who leaves the identity is forgotten. */
  setStatus(id: string, version: number, status: PersonStatus): Promise<boolean>;
  /**
   * False when the person holds that grant already. Raises the person's version.
   * @throws KmcError E_FORBIDDEN when the person holds a role that excludes it; E_CONFLICT for an unknown person.
   */
  grantRole(id: string, grant: RoleGrant, at: Date): Promise<boolean>;
  /** False when the person does not hold that grant. Raises the person's version. */
  withdrawRole(id: string, grant: RoleGrant): Promise<boolean>;
  /** False when the certificate or its key is registered already, for whomever. @throws KmcError E_CONFLICT for an unknown person. */
  insertAccount(account: AccountRow): Promise<boolean>;
  /** Compare-and-set on the status. */
  setAccountStatus(certificateSm3: string, from: AccountStatus, to: AccountStatus): Promise<boolean>;
}
