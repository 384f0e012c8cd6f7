import { expect } from 'chai';
import { forEachDatabase } from './databases.ts';
import { winners } from './race.ts';
import { AT, later } from './rows.ts';

forEachDatabase('nonces', (fixture) => {
  it('are used once by one key', async () => {
    const use = (key: string): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.nonces.use(key, 'n-1', later(600)));
    expect(await winners(16, () => use('key-1'))).to.equal(1);
    expect(await use('key-2')).to.equal(true);
  });

  it('are forgotten after their time, some at a time', async () => {
    await fixture.database.transaction(async ({ nonces }) => {
      for (let number = 0; number < 5; number += 1) await nonces.use('key-1', `n-${number}`, later(number));
    });
    const purge = (limit: number): Promise<number> =>
      fixture.database.transaction((tx) => tx.nonces.purge(later(3), limit));
    expect(await purge(2)).to.equal(2);
    expect(await purge(9)).to.equal(1);
    expect(await fixture.database.transaction((tx) => tx.nonces.use('key-1', 'n-0', later(9)))).to.equal(true);
    expect(await fixture.database.transaction((tx) => tx.nonces.use('key-1', 'n-3', later(9)))).to.equal(false);
  });
});

forEachDatabase('nonces of the service', (fixture) => {
  const offer = (nonce: string, seconds: number, most = 2): Promise<void> =>
    fixture.database.transaction(({ nonces }) =>
      nonces.offer({ nonce, keyId: 'key-1', offeredAt: later(seconds), expiresAt: later(seconds + 300) }, most),
    );
  const redeem = (nonce: string, keyId = 'key-1', seconds = 60): Promise<boolean> =>
    fixture.database.transaction(({ nonces }) => nonces.redeem(keyId, nonce, later(seconds)));

  it('are redeemed once, by the key they were offered to, within their time', async () => {
    await offer('n-1', 0);
    expect(await redeem('n-1', 'key-2')).to.equal(false);
    expect(await redeem('n-1', 'key-1', 300)).to.equal(false);
    expect(await winners(16, () => redeem('n-1'))).to.equal(1);
    expect(await redeem('n-2')).to.equal(false);
  });

  it('are bounded for each key, the newest stay, and those that are over are forgotten', async () => {
    for (const second of [0, 1, 2]) await offer(`n-${second}`, second);
    expect([await redeem('n-0'), await redeem('n-1')]).to.deep.equal([false, true]);
    expect(await fixture.database.transaction((tx) => tx.nonces.purge(later(303), 9))).to.equal(1);
    expect(await redeem('n-2')).to.equal(false);
  });
});

forEachDatabase('stored answers', (fixture) => {
  const row = { caller: 'p-1', key: 'key-1', bodyDigest: 'sm3:body', createdAt: AT, expiresAt: later(86_400) };
  const claim = (given: Partial<typeof row> = {}): Promise<boolean> =>
    fixture.database.transaction((tx) => tx.idempotency.claim({ ...row, ...given }));

  it('are claimed once by each caller and answered once', async () => {
    expect(await winners(16, () => claim())).to.equal(1);
    expect(await claim({ caller: 'p-2' })).to.equal(true);
    const answer = (status: number): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.idempotency.answer('p-1', 'key-1', { status, body: Buffer.from('{}') }));
    expect(await winners(4, (racer) => answer(200 + racer))).to.equal(1);
    const found = await fixture.database.read(({ idempotency }) => idempotency.find('p-1', 'key-1'));
    expect(found?.reply?.body).to.deep.equal(Buffer.from('{}'));
    expect(await fixture.database.read(({ idempotency }) => idempotency.find('p-2', 'key-1'))).to.deep.equal({
      ...row,
      caller: 'p-2',
      reply: undefined,
    });
  });

  it('may have an empty body', async () => {
    await claim();
    const reply = { status: 204, body: Buffer.alloc(0) };
    expect(await fixture.database.transaction((tx) => tx.idempotency.answer('p-1', 'key-1', reply))).to.equal(true);
    const found = await fixture.database.read(({ idempotency }) => idempotency.find('p-1', 'key-1'));
    expect(found?.reply).to.deep.equal(reply);
  });

  it('are given up only while they have no answer', async () => {
    const release = (): Promise<boolean> =>
      fixture.database.transaction((tx) => tx.idempotency.release('p-1', 'key-1'));
    await claim();
    expect(await release()).to.equal(true);
    expect(await claim()).to.equal(true);
    await fixture.database.transaction((tx) =>
      tx.idempotency.answer('p-1', 'key-1', { status: 200, body: Buffer.from('x') }),
    );
    expect(await release()).to.equal(false);
  });

  it('are forgotten after their time', async () => {
    await claim({ expiresAt: later(1) });
    await claim({ key: 'key-2', expiresAt: later(3) });
    expect(await fixture.database.transaction((tx) => tx.idempotency.purge(later(2), 100))).to.equal(1);
    expect(await fixture.database.read(({ idempotency }) => idempotency.find('p-1', 'key-1'))).to.equal(undefined);
  });
});
