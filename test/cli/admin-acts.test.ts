import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { encodePem } from '../../src/crypto/asn1/pem.ts';
import { bring, NEWCOMER } from '../flows/people/people-acts.ts';
import type { CastMember } from '../fixtures/estate.ts';
import { testInstance } from '../fixtures/instance.ts';
import { forEachDatabase } from '../store/databases.ts';
import { servedCommands } from './served-commands.ts';

forEachDatabase('kmc admin, through the service', (fixture) => {
  const test = testInstance(fixture);
  const kmc = servedCommands(test);
  const run = (member: CastMember, ...args: string[]) => kmc().run(member, 'admin', ...args, '--json');

  it('proposes appointments from the folder of a person, by the act that the roles ask for', async () => {
    const { securityOne } = test().people;
    const folder = kmc().files.path(NEWCOMER.id);
    mkdirSync(folder);
    writeFileSync(join(folder, 'crt.pem'), encodePem('CERTIFICATE', (await bring(test())).certificate));
    const asked = ['appoint', folder, '--reason', 'more hands', '--role'];
    const owner = await run(securityOne, ...asked, 'ca-owner');
    expect(owner.json()['request'], owner.err).to.deep.include({
      op: 'person.appoint',
      target: `person/${NEWCOMER.id}`,
    });
    const auditor = await run(securityOne, ...asked, 'auditor');
    expect(auditor.json()['request'], auditor.err).to.deep.include({ op: 'person.appoint-auditor' });
  });

  it('proposes to grant and to take away a role, to suspend, and to let somebody leave', async () => {
    const { securityOne, raOne, caOperatorOne } = test().people;
    const change = (verb: string, role: string) =>
      run(securityOne, verb, raOne.id, '--role', role, '--reason', 'moves');
    const granted = await change('grant-role', 'ra-operator@120000');
    expect(granted.json()['request'], granted.err).to.deep.include({
      op: 'person.grant-role',
      params: { role: 'ra-operator', region: '120000' },
    });
    const revoked = await change('revoke-role', 'ra-operator@110000');
    expect(revoked.json()['request'], revoked.err).to.deep.include({ op: 'person.revoke-role' });
    expect((await change('grant-role', 'owner')).code).to.equal(1);
    for (const [verb, op] of [
      ['suspend', 'person.suspend'],
      ['leave', 'person.leave'],
    ] as const) {
      const asked = await run(securityOne, verb, caOperatorOne.id, '--reason', 'token lost');
      expect(asked.json()['request'], asked.err).to.deep.include({ op, target: `person/${caOperatorOne.id}` });
    }
    expect((await run(securityOne, 'enable', raOne.id, '--reason', 'back')).err).to.contain('E_STATE');
  });
});
