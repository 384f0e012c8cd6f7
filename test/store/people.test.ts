import { expect } from 'chai';
import { AUDIT_ROLES, EXCLUDED_PAIRS, OPERATING_ROLES, type RoleName } from '../../src/domain/roles.ts';
import { forEachDatabase } from './databases.ts';
import { refusal, winners } from './race.ts';
import { account, AT, person } from './rows.ts';

forEachDatabase('people', (fixture) => {
  const add = (...ids: string[]): Promise<void> =>
    fixture.database.transaction(async (tx) => {
      for (const id of ids) expect(await tx.people.insert(person(id))).to.equal(true);
    });
  const grant = (id: string, role: RoleName, region?: string): Promise<boolean> =>
    fixture.database.transaction((tx) =>
      tx.people.grantRole(id, region === undefined ? { role } : { role, region }, AT),
    );

  it('come back with their roles and accounts', async () => {
    await fixture.database.transaction(async (tx) => {
      await tx.people.insert(person('p-1', { region: '650000', identityDigest: 'hmac:1' }));
      await tx.people.grantRole('p-1', { role: 'ra-operator', region: '650000' }, AT);
      await tx.people.grantRole('p-1', { role: 'ca-owner' }, AT);
      await tx.people.insertAccount(account('p-1', 'a', { tokenSerial: 'ukey-1' }));
    });
    const expected = {
      id: 'p-1',
      name: 'Name of p-1',
      unit: 'unit-1',
      organisation: 'organisation-1',
      region: '650000',
      identityDigest: 'hmac:1',
      status: 'active',
      version: 3,
      roles: [{ role: 'ca-owner' }, { role: 'ra-operator', region: '650000' }],
      accounts: [
        {
          certificateSm3: 'sm3:certificate-a',
          kid: 'sm3:key-a',
          tokenSerial: 'ukey-1',
          status: 'valid',
          notBefore: account('p-1', 'a').notBefore,
          notAfter: account('p-1', 'a').notAfter,
        },
      ],
    };
    await fixture.database.read(async ({ people }) => {
      expect(await people.find('p-1')).to.deep.equal(expected);
      expect(await people.findByCertificate('sm3:certificate-a')).to.deep.equal(expected);
      expect(await people.findByKey('sm3:key-a')).to.deep.equal(expected);
      expect(await people.findByIdentity('hmac:1')).to.deep.equal(expected);
      expect(await people.find('p-2')).to.equal(undefined);
      expect(await people.findByCertificate('sm3:certificate-b')).to.equal(undefined);
      expect(await people.certificate('sm3:certificate-a')).to.deep.equal(Buffer.from('certificate a'));
    });
  });

  it('are listed in pages, and by role while they are active', async () => {
    await add('p-1', 'p-2', 'p-3');
    await grant('p-1', 'custodian');
    await grant('p-3', 'custodian');
    await fixture.database.transaction((tx) => tx.people.setStatus('p-3', 2, 'left'));
    await fixture.database.read(async ({ people }) => {
      expect((await people.list({ limit: 2 })).map(({ id }) => id)).to.deep.equal(['p-1', 'p-2']);
      expect((await people.list({ limit: 2, after: 'p-2' })).map(({ id }) => id)).to.deep.equal(['p-3']);
      expect((await people.holders('custodian')).map(({ id }) => id)).to.deep.equal(['p-1']);
    });
    await refusal(
      'E_SCHEMA',
      fixture.database.read(({ people }) => people.list({ limit: 1001 })),
    );
  });

  it('are one record for one identity number', async () => {
    const won = await winners(16, (racer) =>
      fixture.database.transaction((tx) => tx.people.insert(person(`p-${racer}`, { identityDigest: 'hmac:1' }))),
    );
    expect(won).to.equal(1);
  });

  it('never hold two roles that exclude each other', async () => {
    for (const [index, [first, second]] of EXCLUDED_PAIRS.entries()) {
      const id = `p-${index}`;
      await add(id);
      expect(await grant(id, first)).to.equal(true);
      const error = await refusal('E_FORBIDDEN', grant(id, second));
      expect(error.message).to.match(/excludes|an operating and an audit role/);
      const held = await fixture.database.read(({ people }) => people.find(id));
      expect(held?.roles).to.deep.equal([{ role: first }]);
    }
  });

  it('never hold an operating and an audit role, even when both are granted at once', async () => {
    await add('p-1');
    const grants = [...OPERATING_ROLES, ...AUDIT_ROLES].map((role) =>
      grant('p-1', role, role === 'ra-operator' ? '110000' : undefined).catch(() => false),
    );
    await Promise.all(grants);
    const held = await fixture.database.read(({ people }) => people.find('p-1'));
    const roles = new Set(held?.roles.map(({ role }) => role));
    const broken = EXCLUDED_PAIRS.filter(([a, b]) => roles.has(a) && roles.has(b));
    expect(roles.size).to.be.greaterThan(0);
    expect(broken).to.deep.equal([]);
  });

  it('are refused excluded roles by plain SQL too', async () => {
    await add('p-1');
    await grant('p-1', 'auditor');
    const insert = fixture.sql(
      "insert into role_grants (person_id, role, region, granted_at) values ('p-1', 'ca-owner', '', 'now')",
    );
    const error: unknown = await insert.catch((reason: unknown) => reason);
    expect(String(error)).to.match(/E_FORBIDDEN/);
  });

  it('are held to the pairs that policy adds, and a start is refused while somebody breaks one', async () => {
    await add('p-1', 'p-2');
    await grant('p-1', 'ca-owner');
    await grant('p-1', 'ca-operator');
    const stricter = [...EXCLUDED_PAIRS, ['ca-owner', 'ca-operator']] as const;
    await refusal('E_INTEGRITY', fixture.open({ excludedRoles: stricter }));
    await fixture.database.transaction((tx) => tx.people.withdrawRole('p-1', { role: 'ca-operator' }));
    await fixture.open({ excludedRoles: stricter });
    await refusal('E_FORBIDDEN', grant('p-1', 'ca-operator'));
    await fixture.open();
    expect(await grant('p-1', 'ca-operator')).to.equal(true);
  });

  it('get and lose a role once', async () => {
    await add('p-1');
    expect(await winners(8, () => grant('p-1', 'ca-owner'))).to.equal(1);
    const withdraw = (): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.people.withdrawRole('p-1', { role: 'ca-owner' }));
    expect(await winners(8, withdraw)).to.equal(1);
    expect((await fixture.database.read(({ people }) => people.find('p-1')))?.version).to.equal(3);
  });

  it('must be there before they get a role or an account', async () => {
    await refusal('E_CONFLICT', grant('p-9', 'auditor'));
    await refusal(
      'E_CONFLICT',
      fixture.database.transaction((tx) => tx.people.insertAccount(account('p-9', 'a'))),
    );
  });

  it('change status by compare-and-set on the version', async () => {
    await add('p-1');
    const disable = (): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.people.setStatus('p-1', 1, 'disabled'));
    expect(await winners(8, disable)).to.equal(1);
    expect(await disable()).to.equal(false);
  });

  it('share neither certificate nor key', async () => {
    await add('p-1', 'p-2');
    const insert = (id: string, mark: string, kid: string): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.people.insertAccount(account(id, mark, { kid })));
    expect(await winners(16, (racer) => insert(racer % 2 === 0 ? 'p-1' : 'p-2', 'a', 'sm3:key'))).to.equal(1);
    expect(await insert('p-2', 'b', 'sm3:key')).to.equal(false);
    const revoke = (): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.people.setAccountStatus('sm3:certificate-a', 'valid', 'revoked'));
    expect(await winners(4, revoke)).to.equal(1);
  });
});
