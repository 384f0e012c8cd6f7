import { expect } from 'chai';
import type { EnrolmentTokenRow } from '../../src/flows/ports/enrolment-tokens.ts';
import { forEachDatabase } from './databases.ts';
import { refusal, winners } from './race.ts';
import { AT, device, enrolment, later, token } from './rows.ts';

forEachDatabase('enrolment tokens', (fixture) => {
  const rule = { now: AT, limit: 5, lockUntil: later(900) };
  const find = async (): Promise<EnrolmentTokenRow | undefined> =>
    fixture.database.read(({ enrolmentTokens }) => enrolmentTokens.find('t-1'));

  beforeEach(() =>
    fixture.database.transaction(async (tx) => {
      await tx.devices.insert(device('d-1'));
      expect(await tx.enrolmentTokens.insert(token('t-1', 'd-1'))).to.equal(true);
    }),
  );

  it('come back as they were issued, and belong to a device', async () => {
    await fixture.database.read(async ({ enrolmentTokens }) => {
      expect(await enrolmentTokens.find('t-1')).to.deep.equal(token('t-1', 'd-1'));
      expect(await enrolmentTokens.findByDigest('sm3:token-t-1')).to.deep.equal(token('t-1', 'd-1'));
      expect(await enrolmentTokens.liveOf('d-1')).to.deep.equal([token('t-1', 'd-1')]);
    });
    const orphan = fixture.database.transaction((tx) => tx.enrolmentTokens.insert(token('t-2', 'd-2')));
    await refusal('E_CONFLICT', orphan);
  });

  it('let 5 of 100 parallel tries through and then lock', async () => {
    const attempt = (): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.enrolmentTokens.countTry('t-1', rule));
    expect(await winners(100, attempt)).to.equal(5);
    expect(await find()).to.deep.include({ tries: 5, lockedUntil: later(900) });
  });

  it('count anew after the lock and after a right proof', async () => {
    await fixture.database.transaction(async ({ enrolmentTokens }) => {
      const after = { now: later(900), limit: 5, lockUntil: later(1800) };
      for (let round = 0; round < 5; round += 1) expect(await enrolmentTokens.countTry('t-1', rule)).to.equal(true);
      expect(await enrolmentTokens.countTry('t-1', { ...rule, now: later(899) })).to.equal(false);
      for (let round = 0; round < 5; round += 1) expect(await enrolmentTokens.countTry('t-1', after)).to.equal(true);
      expect(await enrolmentTokens.countTry('t-1', after)).to.equal(false);
      await enrolmentTokens.clearTries('t-1');
      expect(await enrolmentTokens.countTry('t-1', after)).to.equal(true);
    });
  });

  it('are used once', async () => {
    const use = (racer: number): Promise<boolean> =>
      fixture.database.transaction((tx) =>
        tx.enrolmentTokens.use({
          id: 't-1',
          spkiSm3: `sm3:key-${racer}`,
          enrolmentId: `en-${racer}`,
          at: later(1),
          eraseAt: later(2),
        }),
      );
    expect(await winners(16, use)).to.equal(1);
    const used = await find();
    expect(used).to.deep.include({ state: 'used', usedAt: later(1), eraseAt: later(2) });
    expect(used?.usedSpkiSm3?.replace('sm3:key-', 'en-')).to.equal(used?.enrolmentId);
    expect(await fixture.database.transaction((tx) => tx.enrolmentTokens.revoke('t-1'))).to.equal(false);
  });

  it('are not used when the transaction fails that enrols', async () => {
    const crash = fixture.database.transaction(async (tx) => {
      await tx.enrolmentTokens.use({ id: 't-1', spkiSm3: 'sm3:key', enrolmentId: 'en-1', at: AT, eraseAt: later(1) });
      throw new Error('crash');
    });
    expect(await crash.catch((error: Error) => error.message)).to.equal('crash');
    expect((await find())?.state).to.equal('issued');
  });

  it('are erased when they are revoked or due', async () => {
    await fixture.database.transaction(async ({ enrolmentTokens }) => {
      await enrolmentTokens.insert(token('t-2', 'd-1', { eraseAt: later(5) }));
      await enrolmentTokens.insert(token('t-3', 'd-1', { eraseAt: later(6) }));
      expect(await enrolmentTokens.revoke('t-1')).to.equal(true);
      expect(await enrolmentTokens.eraseDue(later(5))).to.equal(1);
      expect(await enrolmentTokens.eraseDue(later(5))).to.equal(0);
      const erased = { sealedToken: undefined, tokenSm3: undefined };
      expect(await enrolmentTokens.find('t-1')).to.deep.include({ ...erased, state: 'revoked' });
      expect(await enrolmentTokens.find('t-2')).to.deep.include({ ...erased, state: 'expired' });
      expect((await enrolmentTokens.liveOf('d-1')).map(({ id }) => id)).to.deep.equal(['t-3']);
    });
  });
});

forEachDatabase('enrolments', (fixture) => {
  beforeEach(async () => {
    await fixture.database.transaction((tx) => tx.devices.insert(device('d-1')));
  });
  const insert = (id: string, given: Parameters<typeof enrolment>[2] = {}): Promise<boolean> =>
    fixture.database.transaction((tx) => tx.enrolments.insert(enrolment(id, 'd-1', given)));

  it('are one row for 16 posts that come at once, and all find it', async () => {
    const key = { deviceId: 'd-1', label: 'gateway', operation: 'enrol' as const, spkiSm3: 'sm3:key-1' };
    const found = await Promise.all(
      Array.from({ length: 16 }, (_, racer) =>
        fixture.database.transaction(async ({ enrolments }) => {
          await enrolments.insert(enrolment(`en-${racer}`, 'd-1'));
          return (await enrolments.findOpen(key))?.id;
        }),
      ),
    );
    expect(new Set(found).size).to.equal(1);
    expect(found[0]).to.match(/^en-\d+$/);
    expect(await insert('en-other', { operation: 'renew' })).to.equal(true);
  });

  it('move by compare-and-set and keep what was set before', async () => {
    await insert('en-1');
    const pend = (): Promise<boolean> =>
      fixture.database.transaction((tx) =>
        tx.enrolments.move({
          id: 'en-1',
          from: { state: 'RECEIVED', version: 1 },
          to: 'PENDING',
          at: later(1),
          reason: 'r',
        }),
      );
    expect(await winners(8, pend)).to.equal(1);
    const issued = {
      authorityId: 'ca-1',
      signSerial: '01',
      encSerial: '02',
      envelopedKey: Buffer.from('envelope'),
      bundleVersion: 7,
      answerUntil: later(72 * 3600),
    };
    await fixture.database.transaction((tx) =>
      tx.enrolments.move({ id: 'en-1', from: { state: 'PENDING', version: 2 }, to: 'ISSUED', at: later(2), issued }),
    );
    expect(await fixture.database.read(({ enrolments }) => enrolments.find('en-1'))).to.deep.equal(
      enrolment('en-1', 'd-1', { state: 'ISSUED', version: 3, changedAt: later(2), reason: 'r', ...issued }),
    );
  });

  it('may be made anew after they were closed, and lose their enveloped key then', async () => {
    await insert('en-1', { envelopedKey: Buffer.from('envelope') });
    expect(await insert('en-2')).to.equal(false);
    const close = (): Promise<boolean> => fixture.database.transaction((tx) => tx.enrolments.close('en-1', later(1)));
    expect(await winners(4, close)).to.equal(1);
    expect(await insert('en-2')).to.equal(true);
    expect(await fixture.database.read(({ enrolments }) => enrolments.find('en-1'))).to.deep.include({
      closed: true,
      envelopedKey: undefined,
    });
  });

  it('are erased when the time for asking again is over, and expire when they waited too long', async () => {
    await insert('en-1', { state: 'DELIVERED', answerUntil: later(5), envelopedKey: Buffer.from('e') });
    await insert('en-2', {
      operation: 'renew',
      state: 'DELIVERED',
      answerUntil: later(6),
      envelopedKey: Buffer.from('e'),
    });
    await insert('en-3', { operation: 'simplereenroll', state: 'PENDING', expiresAt: later(4) });
    await fixture.database.read(async ({ enrolments }) => {
      expect((await enrolments.overdue(later(5), 9)).map(({ id }) => id)).to.deep.equal(['en-3']);
      expect((await enrolments.list({ state: 'DELIVERED' }, { limit: 9 })).map(({ id }) => id)).to.deep.equal([
        'en-1',
        'en-2',
      ]);
    });
    expect(await fixture.database.transaction((tx) => tx.enrolments.eraseDue(later(5)))).to.equal(1);
    await fixture.database.read(async ({ enrolments }) => {
      expect(await enrolments.find('en-1')).to.deep.include({ closed: true, envelopedKey: undefined });
      expect((await enrolments.find('en-2'))?.closed).to.equal(false);
    });
  });
});
