/**
 * Separation of duty held by the database itself, whatever writes to it (enrolment-and-root-upgrade D.3): the two sides
 * never meet in one person, a decision belongs to one person and never to the proposer, and nobody comes back under an
 * account of somebody else.
 */
import type { Knex } from 'knex';
import { refuse } from './schema-words.ts';

const OPERATING = [
  'system-administrator',
  'security-administrator',
  'ca-owner',
  'ca-operator',
  'ra-operator',
  'custodian',
  'bundle-signer',
  'recovery-officer',
];
const AUDIT = ['audit-administrator', 'auditor'];

const list = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ');
const holds = (names: readonly string[]): string =>
  `exists (select 1 from role_grants held where held.person_id = new.person_id and held.role in (${list(names)}))`;

const LOCK_PERSON = 'perform 1 from people where id = new.person_id for update;';

export async function up(knex: Knex): Promise<void> {
  await roles(knex);
  await accounts(knex);
  await decisions(knex);
}

async function roles(knex: Knex): Promise<void> {
  // Beside the pairs of role_exclusions, which are rows: these stand whatever the rows say.
  await refuse(knex, {
    table: 'role_grants',
    name: 'sides',
    on: 'insert',
    when: `(new.role in (${list(AUDIT)}) and ${holds(OPERATING)}) or (new.role in (${list(OPERATING)}) and ${holds(AUDIT)})`,
    message: 'KMC E_FORBIDDEN Nobody holds an operating and an audit role. Grant this one to somebody else.',
    lock: LOCK_PERSON,
  });
  await refuse(knex, {
    table: 'role_grants',
    name: 'gone',
    on: 'insert',
    when: "exists (select 1 from people gone where gone.id = new.person_id and gone.status = 'left')",
    message: 'KMC E_STATE The person has left and holds no role any more.',
    lock: LOCK_PERSON,
  });
  await refuse(knex, {
    table: 'role_grants',
    name: 'fixed',
    on: 'update',
    when: 'true',
    message: 'KMC E_FORBIDDEN A grant is taken away and made anew, never changed.',
  });
  await refuse(knex, {
    table: 'people',
    name: 'left',
    on: 'update',
    when: "old.id <> new.id or (old.status = 'left' and new.status <> 'left')",
    message:
      'KMC E_STATE Somebody who has left does not come back under the same record, and no record changes its id.',
  });
}

async function accounts(knex: Knex): Promise<void> {
  await refuse(knex, {
    table: 'accounts',
    name: 'owner',
    on: 'update',
    when: `new.person_id <> old.person_id or new.kid <> old.kid or new.certificate_sm3 <> old.certificate_sm3
           or new.certificate <> old.certificate or (old.status = 'revoked' and new.status <> 'revoked')`,
    message:
      'KMC E_FORBIDDEN An account stays with its person, its key and its certificate, and a revoked one stays revoked.',
  });
  await refuse(knex, {
    table: 'accounts',
    name: 'token',
    on: 'insert',
    when: `exists (select 1 from accounts other
                   where other.token_serial = new.token_serial and other.person_id <> new.person_id)`,
    message: 'KMC E_SAME_PERSON The token belongs to somebody else. One token serves one person.',
  });
}

async function decisions(knex: Knex): Promise<void> {
  await refuse(knex, {
    table: 'approvals',
    name: 'proposer',
    on: 'insert',
    when: 'exists (select 1 from requests asked where asked.id = new.request_id and asked.proposer = new.person_id)',
    message: 'KMC E_SAME_PERSON Who proposes a request never decides it.',
  });
  await refuse(knex, {
    table: 'approvals',
    name: 'signed',
    on: 'update',
    when: `new.request_id <> old.request_id or new.person_id <> old.person_id or new.role <> old.role
           or new.decision <> old.decision or new.body <> old.body or new.signature <> old.signature
           or new.certificate <> old.certificate or old.withdrawn_at is not null`,
    message: 'KMC E_FORBIDDEN A decision stays as it was signed; it is withdrawn once and for good.',
  });
  await refuse(knex, {
    table: 'requests',
    name: 'asked',
    on: 'update',
    when: `new.id <> old.id or new.digest <> old.digest or new.canonical <> old.canonical or new.op <> old.op
           or new.class <> old.class or new.proposer <> old.proposer or new.policy_digest <> old.policy_digest`,
    message: 'KMC E_FORBIDDEN What was asked never changes: make a new request.',
  });
  await refuse(knex, {
    table: 'executions',
    name: 'decided',
    on: 'insert',
    when: `not exists (select 1 from requests asked where asked.digest = new.request_digest and asked.state = 'EXECUTING')
           or not exists (select 1 from approvals given join requests asked on asked.id = given.request_id
                          where asked.digest = new.request_digest and given.decision = 'APPROVE' and given.withdrawn_at is null)`,
    message: 'KMC E_STATE Only a request that was approved is executed.',
  });
}
