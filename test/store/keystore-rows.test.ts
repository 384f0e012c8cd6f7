import { expect } from 'chai';
import type { SealedCaKeyRow, SealedKekRow } from '../../src/flows/ports/keystore-rows.ts';
import { forEachDatabase } from './databases.ts';
import { refusal, winners } from './race.ts';
import { AT } from './rows.ts';

type NewKek = Omit<SealedKekRow, 'state' | 'objectVersion'> & { readonly blob: Buffer };
type NewCaKey = Omit<SealedCaKeyRow, 'state' | 'objectVersion'> & { readonly blob: Buffer };

function kek(version: number): NewKek {
  return {
    purpose: 'escrow-store',
    version,
    blob: Buffer.from(`kek ${version}`),
    keyCheckValue: Buffer.alloc(8, version),
    createdAt: AT,
  };
}

function caKey(keyId: string, version = 1): NewCaKey {
  return {
    keyId,
    version,
    algorithm: 'SM2',
    spki: Buffer.from(`spki ${keyId}`),
    spkiSm3: `sm3:${keyId}-${version}`,
    usage: 'sign',
    blob: Buffer.from('sealed'),
    kekVersion: 1,
    createdAt: AT,
  };
}

forEachDatabase('the sealed keys of the keystore', (fixture) => {
  it('have one current version per purpose', async () => {
    await fixture.database.transaction(async ({ keystoreRows }) => {
      expect(await keystoreRows.addKek(kek(1), 0)).to.equal(true);
      expect(await keystoreRows.addKek(kek(2), 0)).to.equal(true);
    });
    const keks = await fixture.database.read(({ keystoreRows }) => keystoreRows.keks());
    expect(keks).to.deep.equal([
      { ...kek(1), state: 'previous', objectVersion: 1 },
      { ...kek(2), state: 'current', objectVersion: 1 },
    ]);
    await refusal(
      'E_CONFLICT',
      fixture.database.transaction(({ keystoreRows }) => keystoreRows.addKek(kek(2), 0)),
    );
  });

  it('are not written by a node with files of another epoch', async () => {
    await fixture.database.transaction(async (tx) => {
      await tx.keystoreRows.addKek(kek(1), 0);
      await tx.keystoreRows.addCaKey(caKey('ca-1'), 0);
      await tx.instance.advanceKeystoreEpoch(0);
    });
    await fixture.database.transaction(async ({ keystoreRows }) => {
      expect(await keystoreRows.addKek(kek(2), 0)).to.equal(false);
      expect(await keystoreRows.resealKek('escrow-store', 1, 1, Buffer.from('x'), 0)).to.equal(false);
      expect(await keystoreRows.destroyKek('escrow-store', 1, 0)).to.equal(false);
      expect(await keystoreRows.addCaKey(caKey('ca-2'), 0)).to.equal(false);
      expect(await keystoreRows.resealCaKey('ca-1', 1, 1, { blob: Buffer.from('x'), kekVersion: 2 }, 0)).to.equal(
        false,
      );
      expect(await keystoreRows.setCaKeyState('ca-1', 1, 'active', 'retired', 0)).to.equal(false);
    });
    expect(await fixture.database.read(({ keystoreRows }) => keystoreRows.keks())).to.have.length(1);
  });

  it('never stand under an epoch that moved on while they were written', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, racer) =>
        fixture.database.transaction(async (tx) => {
          if (racer === 6) return (await tx.instance.advanceKeystoreEpoch(0)) ? 'moved' : 'not moved';
          const epoch = await tx.instance.keystoreEpoch();
          if (!(await tx.keystoreRows.addCaKey(caKey(`ca-${racer}`), epoch))) return 'refused';
          // Whoever has written holds the epoch until the end.
          return (await tx.instance.keystoreEpoch()) === epoch ? 'written' : 'torn';
        }),
      ),
    );
    expect(outcomes).to.include('moved');
    expect(outcomes).not.to.include('torn');
  });

  it('are sealed anew by compare-and-set on the object version', async () => {
    await fixture.database.transaction(async ({ keystoreRows }) => {
      await keystoreRows.addKek(kek(1), 0);
      await keystoreRows.addCaKey(caKey('ca-1'), 0);
    });
    const kekWinners = await winners(8, (racer) =>
      fixture.database.transaction(({ keystoreRows }) =>
        keystoreRows.resealKek('escrow-store', 1, 1, Buffer.from(`blob ${racer}`), 0),
      ),
    );
    const caWinners = await winners(8, () =>
      fixture.database.transaction(({ keystoreRows }) =>
        keystoreRows.resealCaKey('ca-1', 1, 1, { blob: Buffer.from('new'), kekVersion: 2 }, 0),
      ),
    );
    expect([kekWinners, caWinners]).to.deep.equal([1, 1]);
    await fixture.database.read(async ({ keystoreRows }) => {
      expect((await keystoreRows.kek('escrow-store', 1))?.objectVersion).to.equal(2);
      expect(await keystoreRows.caKey('ca-1')).to.deep.include({
        objectVersion: 2,
        kekVersion: 2,
        blob: Buffer.from('new'),
      });
    });
  });

  it('lose their blob when they are destroyed, and only a previous key-encryption key is', async () => {
    await fixture.database.transaction(async ({ keystoreRows }) => {
      await keystoreRows.addKek(kek(1), 0);
      expect(await keystoreRows.destroyKek('escrow-store', 1, 0)).to.equal(false);
      await keystoreRows.addKek(kek(2), 0);
      expect(await keystoreRows.destroyKek('escrow-store', 1, 0)).to.equal(true);
      await keystoreRows.addCaKey(caKey('ca-1'), 0);
      expect(await keystoreRows.setCaKeyState('ca-1', 1, 'active', 'destroyed', 0)).to.equal(true);
      expect(await keystoreRows.resealCaKey('ca-1', 1, 1, { blob: Buffer.from('x'), kekVersion: 1 }, 0)).to.equal(
        false,
      );
    });
    await fixture.database.read(async ({ keystoreRows }) => {
      expect(await keystoreRows.kek('escrow-store', 1)).to.deep.include({ state: 'destroyed', blob: undefined });
      expect(await keystoreRows.caKeyBySpki('sm3:ca-1-1')).to.deep.include({ state: 'destroyed', blob: undefined });
    });
  });

  it('give the newest version of a CA key, and no key stands there twice', async () => {
    await fixture.database.transaction(async ({ keystoreRows }) => {
      await keystoreRows.addCaKey(caKey('ca-1', 1), 0);
      await keystoreRows.addCaKey(caKey('ca-1', 2), 0);
    });
    expect((await fixture.database.read(({ keystoreRows }) => keystoreRows.caKey('ca-1')))?.version).to.equal(2);
    expect(await fixture.database.read(({ keystoreRows }) => keystoreRows.caKeys())).to.have.length(2);
    const twice = { ...caKey('ca-2'), spkiSm3: 'sm3:ca-1-1' };
    await refusal(
      'E_CONFLICT',
      fixture.database.transaction(({ keystoreRows }) => keystoreRows.addCaKey(twice, 0)),
    );
  });
});
