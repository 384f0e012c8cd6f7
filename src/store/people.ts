import type { AccountStatus, PersonStatus, RoleGrant } from '../domain/person.ts';
import type { RoleName } from '../domain/roles.ts';
import type { Page } from '../flows/ports/database.ts';
import type { AccountRow, PeopleWriter, PersonRow, StoredPerson } from '../flows/ports/people.ts';
import { pageLimit } from './list.ts';
import type { Binding, Sql } from './sql.ts';
import { blob, integer, optional, Table, text, time, won, word } from './table.ts';

interface GrantRow {
  readonly personId: string;
  readonly role: RoleName;
  /** Empty for a grant that no region bounds: it is part of the key. */
  readonly region: string;
  readonly grantedAt: Date;
}

const PEOPLE = new Table<PersonRow>('people', {
  id: text,
  name: text,
  unit: text,
  organisation: text,
  region: optional(text),
  identityDigest: optional(text),
  status: word<PersonStatus>(),
  version: integer,
  createdAt: time,
});

const GRANTS = new Table<GrantRow>('role_grants', {
  personId: text,
  role: word<RoleName>(),
  region: text,
  grantedAt: time,
});

const ACCOUNTS = new Table<AccountRow>('accounts', {
  certificateSm3: text,
  kid: text,
  personId: text,
  certificate: blob,
  tokenSerial: optional(text),
  notBefore: time,
  notAfter: time,
  status: word<AccountStatus>(),
  createdAt: time,
});

export class StoredPeople implements PeopleWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(id: string): Promise<StoredPerson | undefined> {
    return this.#one('where id = ?', id);
  }

  findByCertificate(certificateSm3: string): Promise<StoredPerson | undefined> {
    return this.#one('where id = (select person_id from accounts where certificate_sm3 = ?)', certificateSm3);
  }

  findByKey(kid: string): Promise<StoredPerson | undefined> {
    return this.#one('where id = (select person_id from accounts where kid = ?)', kid);
  }

  findByIdentity(identityDigest: string): Promise<StoredPerson | undefined> {
    return this.#one('where identity_digest = ?', identityDigest);
  }

  holders(role: RoleName): Promise<StoredPerson[]> {
    return this.#many(
      "where status = 'active' and id in (select person_id from role_grants where role = ?) order by id",
      role,
    );
  }

  list(page: Page): Promise<StoredPerson[]> {
    return this.#many('where id > ? order by id limit ?', page.after ?? '', pageLimit(page));
  }

  async certificate(certificateSm3: string): Promise<Buffer | undefined> {
    return (await ACCOUNTS.find(this.#sql, 'where certificate_sm3 = ?', certificateSm3))?.certificate;
  }

  insert(person: PersonRow): Promise<boolean> {
    return PEOPLE.insert(this.#sql, person);
  }

  setStatus(id: string, version: number, status: PersonStatus): Promise<boolean> {
    return won(
      this.#sql.run(
        `update people set status = ?, version = version + 1, identity_digest = case when ? = 'left' then null else identity_digest end
         where id = ? and version = ?`,
        status,
        status,
        id,
        version,
      ),
    );
  }

  async grantRole(id: string, { role, region }: RoleGrant, at: Date): Promise<boolean> {
    const granted = await GRANTS.insert(this.#sql, { personId: id, role, region: region ?? '', grantedAt: at });
    return granted && this.#touch(id);
  }

  async withdrawRole(id: string, { role, region }: RoleGrant): Promise<boolean> {
    const withdrawn = await won(
      this.#sql.run('delete from role_grants where person_id = ? and role = ? and region = ?', id, role, region ?? ''),
    );
    return withdrawn && this.#touch(id);
  }

  insertAccount(account: AccountRow): Promise<boolean> {
    return ACCOUNTS.insert(this.#sql, account);
  }

  setAccountStatus(certificateSm3: string, from: AccountStatus, to: AccountStatus): Promise<boolean> {
    return won(
      this.#sql.run(
        'update accounts set status = ? where certificate_sm3 = ? and status = ?',
        to,
        certificateSm3,
        from,
      ),
    );
  }

  #touch(id: string): Promise<boolean> {
    return won(this.#sql.run('update people set version = version + 1 where id = ?', id));
  }

  async #one(condition: string, ...bindings: Binding[]): Promise<StoredPerson | undefined> {
    const person = await PEOPLE.find(this.#sql, condition, ...bindings);
    return person === undefined ? undefined : this.#complete(person);
  }

  async #many(condition: string, ...bindings: Binding[]): Promise<StoredPerson[]> {
    const people: StoredPerson[] = [];
    for (const row of await PEOPLE.all(this.#sql, condition, ...bindings)) people.push(await this.#complete(row));
    return people;
  }

  async #complete(person: PersonRow): Promise<StoredPerson> {
    const grants = await GRANTS.all(this.#sql, 'where person_id = ? order by role, region', person.id);
    const accounts = await ACCOUNTS.all(
      this.#sql,
      'where person_id = ? order by created_at, certificate_sm3',
      person.id,
    );
    return {
      id: person.id,
      name: person.name,
      unit: person.unit,
      organisation: person.organisation,
      status: person.status,
      version: person.version,
      ...(person.region === undefined ? {} : { region: person.region }),
      ...(person.identityDigest === undefined ? {} : { identityDigest: person.identityDigest }),
      roles: grants.map(({ role, region }) => (region === '' ? { role } : { role, region })),
      accounts: accounts.map(({ certificateSm3, kid, tokenSerial, status, notBefore, notAfter }) => ({
        certificateSm3,
        kid,
        status,
        notBefore,
        notAfter,
        ...(tokenSerial === undefined ? {} : { tokenSerial }),
      })),
    };
  }
}
