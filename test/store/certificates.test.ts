import { expect } from 'chai';
import { forEachDatabase, type DatabaseFixture } from './databases.ts';
import { refusal, winners } from './race.ts';
import { AT, authority, certificate, device, later, recordEvent, UNSIGNED } from './rows.ts';

async function withAuthorities(fixture: DatabaseFixture, ...ids: string[]): Promise<void> {
  await fixture.database.transaction(async (tx) => {
    for (const id of ids) expect(await tx.authorities.insert(authority(id))).to.equal(true);
  });
}

forEachDatabase('authorities', (fixture) => {
  it('are a name and a key', async () => {
    await withAuthorities(fixture, 'ca-1');
    const sameName = authority('ca-2', { subject: authority('ca-1').subject, issuerId: 'ca-1', state: 'staged' });
    await fixture.database.transaction(async ({ authorities }) => {
      expect(await authorities.insert(sameName)).to.equal(true);
      const same = { ...sameName, id: 'ca-3' };
      expect(await authorities.insert(same)).to.equal(false);
    });
    await fixture.database.read(async ({ authorities }) => {
      expect(await authorities.find('ca-2')).to.deep.equal(sameName);
      expect(await authorities.findBySubject(sameName.subject)).to.deep.equal([authority('ca-1'), sameName]);
      expect(await authorities.findByKey('sm3:key-of-ca-1')).to.deep.equal([authority('ca-1')]);
      expect(await authorities.list({ state: 'staged' })).to.deep.equal([sameName]);
      expect(await authorities.list({ kind: 'root' })).to.deep.equal([]);
    });
  });

  it('give each CRL number once, of any size', async () => {
    await withAuthorities(fixture, 'ca-1');
    const last = 2n ** 159n - 1n;
    const advance = (from: bigint, to: bigint): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.authorities.advanceCrlNumber('ca-1', from, to));
    expect(await advance(0n, last)).to.equal(true);
    expect(await winners(8, () => advance(last, last + 1n))).to.equal(1);
    await refusal('E_CRL', advance(last + 1n, last));
    expect((await fixture.database.read(({ authorities }) => authorities.find('ca-1')))?.crlNumber).to.equal(last + 1n);
  });

  it('move by compare-and-set, and complete an inventory that is awaited', async () => {
    await fixture.database.transaction((tx) => tx.authorities.insert(authority('ca-1', { inventory: 'awaited' })));
    const retire = (): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.authorities.move('ca-1', { state: 'active', version: 1 }, 'crl-only'));
    const complete = (): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.authorities.completeInventory('ca-1'));
    expect(await winners(8, retire)).to.equal(1);
    expect(await winners(8, complete)).to.equal(1);
    expect(await fixture.database.read(({ authorities }) => authorities.find('ca-1'))).to.deep.include({
      state: 'crl-only',
      inventory: 'complete',
      version: 3,
    });
  });
});

forEachDatabase('certificates', (fixture) => {
  let first = '';
  let second = '';
  let third = '';
  beforeEach(async () => {
    [first, second, third] = [await recordEvent(fixture), await recordEvent(fixture), await recordEvent(fixture)];
    await withAuthorities(fixture, 'ca-1', 'ca-2');
    await fixture.database.transaction((tx) => tx.devices.insert(device('d-1')));
  });

  it('are found by id, serial, digest and key', async () => {
    const row = certificate('c-1', 'ca-1', first, { deviceId: 'd-1', pairId: 'pair-1' });
    await fixture.database.transaction((tx) => tx.certificates.insert(row));
    await fixture.database.read(async ({ certificates }) => {
      expect(await certificates.find('c-1')).to.deep.equal(row);
      expect(await certificates.findBySerial('ca-1', 'serial-c-1')).to.deep.equal(row);
      expect(await certificates.findBySerial('ca-2', 'serial-c-1')).to.equal(undefined);
      expect(await certificates.findByDigest('sm3:certificate-c-1')).to.deep.equal(row);
      expect(await certificates.findByDigest('sha256:certificate-c-1')).to.deep.equal(row);
      expect(await certificates.findByDigest('md5:certificate-c-1')).to.equal(undefined);
      expect(await certificates.findByKey('sm3:key-of-c-1')).to.deep.equal([row]);
      expect(await certificates.list({ deviceId: 'd-1', pairId: 'pair-1' }, { limit: 9 })).to.deep.equal([row]);
      expect(await certificates.list({ status: 'revoked' }, { limit: 9 })).to.deep.equal([]);
      expect(await certificates.counts()).to.deep.equal([
        { authorityId: 'ca-1', profile: 'gateway-sign', status: 'good', count: 1 },
      ]);
    });
  });

  it('share no serial under one authority, imported ones included', async () => {
    const insert = (id: string, authorityId: string): Promise<boolean> =>
      fixture.database.transaction((tx) =>
        tx.certificates.insert(certificate(id, authorityId, first, { serialNumber: '0a' })),
      );
    expect(await winners(16, (racer) => insert(`c-${racer}`, 'ca-1'))).to.equal(1);
    expect(await insert('c-other', 'ca-2')).to.equal(true);
    const inventory = Array.from({ length: 70 }, (_, number) =>
      certificate(`i-${number}`, 'ca-2', first, {
        ...UNSIGNED,
        status: 'good',
        source: 'imported',
        serialNumber: number === 69 ? '0a' : `i${number}`,
      }),
    );
    await refusal(
      'E_CONFLICT',
      fixture.database.transaction((tx) => tx.certificates.insertAll(inventory)),
    );
    await fixture.database.transaction((tx) => tx.certificates.insertAll(inventory.slice(0, 69)));
  });

  it('are reserved before they are signed, and finished or aborted once', async () => {
    await fixture.database.transaction(async ({ certificates }) => {
      await certificates.insert(certificate('c-1', 'ca-1', first, UNSIGNED));
      await certificates.insert(certificate('c-2', 'ca-1', first, { ...UNSIGNED, createdAt: later(9) }));
    });
    const stale = await fixture.database.read(({ certificates }) => certificates.staleReservations(later(9), 9));
    expect(stale.map(({ id }) => id)).to.deep.equal(['c-1']);
    const { certificate: der, certificateSm3, certificateSha256 } = certificate('c-1', 'ca-1', first);
    const finished = {
      certificate: der ?? Buffer.alloc(0),
      certificateSm3: certificateSm3 ?? '',
      certificateSha256: certificateSha256 ?? '',
    };
    const end = (racer: number): Promise<boolean> =>
      fixture.database.transaction(({ certificates }) =>
        racer % 2 === 0 ? certificates.finish('c-1', finished, second) : certificates.abort('c-1', second),
      );
    expect(await winners(8, end)).to.equal(1);
    const reused = certificate('c-3', 'ca-1', first, { serialNumber: 'serial-c-1' });
    expect(await fixture.database.transaction((tx) => tx.certificates.insert(reused))).to.equal(false);
  });

  it('are revoked once, held and released', async () => {
    await fixture.database.transaction(async ({ certificates }) => {
      await certificates.insert(certificate('c-1', 'ca-1', first));
      await certificates.insert(certificate('c-2', 'ca-1', first));
    });
    const compromised = { revokedAt: later(1), reason: 'keyCompromise', invalidityDate: AT } as const;
    const hold = { revokedAt: later(2), reason: 'certificateHold', invalidityDate: undefined } as const;
    const revoke = (): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.certificates.revoke('c-1', 'good', compromised, second));
    expect(await winners(8, revoke)).to.equal(1);
    await fixture.database.transaction(async ({ certificates }) => {
      expect(await certificates.revoke('c-1', 'on-hold', hold, third), 'revoked is final').to.equal(false);
      expect(await certificates.release('c-1', third), 'revoked is final').to.equal(false);
      expect(await certificates.revoke('c-2', 'good', hold, second)).to.equal(true);
      expect(await certificates.revoke('c-2', 'on-hold', hold, third), 'held already').to.equal(false);
      const { notAfter } = certificate('c-1', 'ca-1', first);
      expect(await certificates.revoked('ca-1', { limit: 9 })).to.deep.equal([
        { serialNumber: 'serial-c-1', ...compromised, notAfter },
        { serialNumber: 'serial-c-2', ...hold, notAfter },
      ]);
      expect(await certificates.release('c-2', third)).to.equal(true);
      expect(await certificates.find('c-2')).to.deep.equal(certificate('c-2', 'ca-1', third));
      expect(await certificates.revoked('ca-1', { shard: '650000', limit: 9 })).to.deep.equal([]);
      expect(await certificates.revoked('ca-1', { shard: '110000', limit: 9 })).to.have.length(1);
    });
  });

  it('are read in the order of a CRL, page by page: a shorter serial number is the smaller one', async () => {
    const serials = ['0a', 'ff', '0100', '7fff', 'fffe', '010000'];
    const revoked = { status: 'revoked', revokedAt: AT, reason: 'superseded' } as const;
    await fixture.database.transaction(async ({ certificates }) => {
      for (const [index, serialNumber] of [...serials].sort().entries()) {
        await certificates.insert(certificate(`c-${index}`, 'ca-1', first, { serialNumber, ...revoked }));
      }
    });
    await fixture.database.read(async ({ certificates }) => {
      const found: string[] = [];
      for (let after = ''; ; after = found.at(-1) ?? '') {
        const rows = await certificates.revoked('ca-1', { limit: 4, after });
        found.push(...rows.map(({ serialNumber }) => serialNumber));
        if (rows.length < 4) break;
      }
      expect(found).to.deep.equal(serials);
      expect(await certificates.revoked('ca-2', { limit: 4 })).to.deep.equal([]);
    });
  });

  it('do not change without an audit event of their own, and are never deleted', async () => {
    await fixture.database.transaction((tx) => tx.certificates.insert(certificate('c-1', 'ca-1', first)));
    const entry = { revokedAt: later(1), reason: 'superseded', invalidityDate: undefined } as const;
    const revoke = (event: string): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.certificates.revoke('c-1', 'good', entry, event));
    await refusal('E_AUDIT', revoke(first));
    await refusal('E_AUDIT', revoke('ev-unknown'));
    const error: unknown = await fixture.sql('delete from certificates').catch((reason: unknown) => reason);
    expect(String(error)).to.match(/never deleted/);
  });

  it('of contradicting fields are refused', async () => {
    const rows = [
      certificate('c-1', 'ca-1', first, { status: 'revoked' }),
      certificate('c-1', 'ca-1', first, { certificate: undefined }),
      certificate('c-1', 'ca-1', first, { ...UNSIGNED, source: 'imported' }),
      certificate('c-1', 'ca-1', first, { revokedAt: AT, reason: 'superseded' }),
    ];
    for (const row of rows)
      await refusal(
        'E_INTERNAL',
        fixture.database.transaction((tx) => tx.certificates.insert(row)),
      );
    await refusal(
      'E_CONFLICT',
      fixture.database.transaction((tx) => tx.certificates.insert(certificate('c', 'ca-9', first))),
    );
  });
});

forEachDatabase('CRLs and blocked keys', (fixture) => {
  it('keep each number of a scope once, and know the highest', async () => {
    await withAuthorities(fixture, 'ca-1');
    const row = (number: bigint, scope = 'complete') => ({
      authorityId: 'ca-1',
      scope,
      number,
      crl: Buffer.from(`crl ${number}`),
      crlSm3: `sm3:${number}`,
      entries: 3,
      thisUpdate: AT,
      nextUpdate: later(9),
      source: 'issued' as const,
    });
    const insert = (number: bigint, scope?: string): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.crls.insert(row(number, scope)));
    expect(await winners(16, () => insert(9n))).to.equal(1);
    expect(await insert(10n)).to.equal(true);
    expect(await insert(11n, '110000')).to.equal(true);
    await fixture.database.read(async ({ crls }) => {
      expect(await crls.latest('ca-1', 'complete')).to.deep.equal(row(10n));
      expect(await crls.find('ca-1', 'complete', 9n)).to.deep.equal(row(9n));
      expect(await crls.latest('ca-1', 'delta')).to.equal(undefined);
      const { crl: _, ...facts } = row(10n);
      expect(await crls.latestFacts('ca-1', 'complete')).to.deep.equal(facts);
      expect(await crls.scopes('ca-1')).to.deep.equal(['110000', 'complete']);
    });
  });

  it('block a key for ever', async () => {
    const auditEvent = await recordEvent(fixture);
    const row = { spkiSm3: 'sm3:bad', reason: 'compromised', blockedAt: AT, auditEvent };
    const block = (): Promise<boolean> => fixture.database.transaction((tx) => tx.blockedKeys.insert(row));
    expect(await winners(16, block)).to.equal(1);
    expect(await fixture.database.read(({ blockedKeys }) => blockedKeys.find('sm3:bad'))).to.deep.equal(row);
    const error: unknown = await fixture.sql('delete from blocked_keys').catch((reason: unknown) => reason);
    expect(String(error)).to.match(/never deleted/);
  });
});
