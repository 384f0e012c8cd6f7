import { expect } from 'chai';
import { AUDIT_ROLES, OPERATING_ROLES, ROLE_NAMES, ROLES } from '../../src/domain/roles.ts';
import { forEachDatabase } from './databases.ts';
import { refusal } from './race.ts';
import { account, AT, person, recordEvent, request } from './rows.ts';

forEachDatabase('separation of duty, by plain SQL past the product', (fixture) => {
  beforeEach(async () => {
    const event = await recordEvent(fixture);
    await fixture.database.transaction(async (tx) => {
      for (const id of ['p-1', 'p-2', 'p-3']) await tx.people.insert(person(id));
      await tx.people.insertAccount(account('p-1', 'a', { tokenSerial: 'ukey-1' }));
      await tx.requests.insert(request('rq-1', event, { proposer: 'p-1' }));
      await tx.approvals.insert({
        requestId: 'rq-1',
        personId: 'p-2',
        role: 'ca-owner',
        decision: 'APPROVE',
        body: Buffer.from('{}'),
        signature: Buffer.alloc(64, 1),
        certificate: Buffer.from('certificate'),
        decidedAt: AT,
      });
    });
  });

  const refused = async (statement: string, code: RegExp): Promise<void> => {
    const reason: unknown = await fixture.sql(statement).then(
      () => 'nothing was refused',
      (error: unknown) => error,
    );
    expect(String(reason), statement).to.match(code);
  };
  const grantTo = (id: string, role: string): string =>
    `insert into role_grants (person_id, role, region, granted_at) values ('${id}', '${role}', '', 'now')`;
  const decide = (id: string): string =>
    `insert into approvals (request_id, person_id, role, decision, body, signature, certificate, decided_at)
     select request_id, '${id}', role, decision, body, signature, certificate, decided_at from approvals where person_id = 'p-2'`;

  it('knows every role as operating, audit or of ceremonies alone, as the role table does', () => {
    const sides = [...OPERATING_ROLES, ...AUDIT_ROLES];
    expect(ROLE_NAMES.filter((role) => !sides.includes(role))).to.deep.equal(['witness']);
    expect(ROLES.witness.kind).to.equal('ceremony');
  });

  it('refuses the other side to one person, with the table of excluded pairs emptied as well', async () => {
    await fixture.sql('delete from role_exclusions');
    for (const operating of OPERATING_ROLES) {
      for (const audit of AUDIT_ROLES) {
        for (const [held, wanted] of [
          [operating, audit],
          [audit, operating],
        ] as const) {
          await fixture.sql(grantTo('p-3', held));
          await refused(grantTo('p-3', wanted), /E_FORBIDDEN/);
          await fixture.sql("delete from role_grants where person_id = 'p-3'");
        }
      }
    }
  }).timeout(30_000);

  it('refuses to turn a grant into another, and grants to somebody who has left', async () => {
    await fixture.sql(grantTo('p-1', 'ca-owner'));
    await refused("update role_grants set role = 'auditor'", /E_FORBIDDEN/);
    await refused("update role_grants set person_id = 'p-2'", /E_FORBIDDEN/);
    await fixture.sql("update people set status = 'left' where id = 'p-3'");
    await refused(grantTo('p-3', 'ca-owner'), /E_STATE/);
    await refused("update people set status = 'active' where id = 'p-3'", /E_STATE/);
    await refused("update people set id = 'p-4' where id = 'p-3'", /E_STATE/);
  });

  it('keeps an account with its person and key, one token with one person, and what is revoked revoked', async () => {
    for (const change of ["person_id = 'p-2'", "kid = 'sm3:other'", "certificate_sm3 = 'sm3:other'"]) {
      await refused(`update accounts set ${change}`, /E_FORBIDDEN/);
    }
    await fixture.sql("update accounts set status = 'revoked'");
    await refused("update accounts set status = 'valid'", /E_FORBIDDEN/);
    await refusal(
      'E_SAME_PERSON',
      fixture.database.transaction((tx) => tx.people.insertAccount(account('p-2', 'b', { tokenSerial: 'ukey-1' }))),
    );
    await fixture.database.transaction(async (tx) => {
      expect(await tx.people.insertAccount(account('p-1', 'b', { tokenSerial: 'ukey-1' }))).to.equal(true);
    });
  });

  it('refuses a decision of the proposer, a second one of a person, and a decision that changes', async () => {
    await refused(decide('p-1'), /E_SAME_PERSON/);
    await refused(decide('p-2'), /unique|UNIQUE/);
    for (const change of ["person_id = 'p-3'", "role = 'auditor'", "decision = 'REJECT'", 'body = certificate']) {
      await refused(`update approvals set ${change}`, /E_FORBIDDEN/);
    }
    await fixture.sql(
      'update approvals set withdrawn_at = decided_at, withdrawal_body = body, withdrawal_signature = signature, withdrawal_certificate = certificate',
    );
    await refused(
      'update approvals set withdrawn_at = null, withdrawal_body = null, withdrawal_signature = null, withdrawal_certificate = null',
      /E_FORBIDDEN/,
    );
    await fixture.sql(decide('p-3'));
  });

  it('refuses another question under the same decisions, and an execution without an approval', async () => {
    const event = await recordEvent(fixture);
    for (const change of ["op = 'key.export'", "class = 'L1'", "proposer = 'p-3'", "policy_digest = 'sm3:bb'"]) {
      await refused(`update requests set ${change}, last_audit_event = '${event}'`, /E_FORBIDDEN/);
    }
    const execute = "insert into executions (request_digest, at) values ('sm3:request-rq-1', 'now')";
    await refused(execute, /E_STATE/);
    await fixture.sql(`update requests set state = 'EXECUTING', last_audit_event = '${event}'`);
    await fixture.sql(
      'update approvals set withdrawn_at = decided_at, withdrawal_body = body, withdrawal_signature = signature, withdrawal_certificate = certificate',
    );
    await refused(execute, /E_STATE/);
    await fixture.sql(decide('p-3'));
    await fixture.sql(execute);
  });
});
