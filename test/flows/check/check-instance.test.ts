import { expect } from 'chai';
import { publishCrl } from '../../../src/flows/certificates/publish-crl.ts';
import { refillPool } from '../../../src/flows/pools/refill-pool.ts';
import { revokeCertificate } from '../../../src/flows/certificates/revoke-certificate.ts';
import { checkInstance } from '../../../src/flows/check/check-instance.ts';
import { SYSTEM, testInstance, withPool } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { recordEvent } from '../../store/rows.ts';
import { storePair } from '../certificates/device-pair.ts';

forEachDatabase('checkInstance', (fixture) => {
  const test = testInstance(fixture);

  /** The ids of invariants that do not hold. */
  async function broken(): Promise<string[]> {
    const results = await checkInstance(test().instance);
    return results.filter(({ violations }) => violations.length > 0).map(({ id }) => id);
  }

  /** Past the product: as if somebody had altered the row. */
  async function alter(table: string, change: string, id: string): Promise<void> {
    await fixture.sql(`update ${table} set ${change}, last_audit_event = ? where id = ?`, [
      await recordEvent(fixture),
      id,
    ]);
  }

  it('finds that every invariant holds, and says what it looked at', async () => {
    const { sign } = await storePair(test(), fixture);
    await revokeCertificate(test().instance, SYSTEM, { certificateId: sign.id, reason: 'superseded' });
    await publishCrl(test().instance, SYSTEM, 'sm2-issuing');
    const results = await checkInstance(test().instance);
    expect(results.map(({ id }) => id)).to.deep.equal([
      'I1',
      'I9',
      'I2',
      'I8',
      'I3',
      'I10',
      'I5',
      'I13',
      'I14',
      'I20',
      'I6',
    ]);
    expect(results.flatMap(({ violations }) => violations)).to.deep.equal([]);
    const checked = Object.fromEntries(results.map((result) => [result.id, result.checked]));
    expect(checked).to.include({ I1: 1, I9: 1, I2: 1, I8: 1, I3: 2, I10: 1 });
  });

  it('says that no blob was opened while the keystore is sealed', async () => {
    await storePair(test(), fixture);
    test().instance.keystore.seal();
    const results = await checkInstance(test().instance);
    expect(results.find(({ id }) => id === 'I9')).to.include({
      checked: 0,
      limit: 'not opened: this command holds no shares',
    });
    expect(await broken()).to.deep.equal([]);
  });

  it('misses the escrowed key of an encryption certificate (I1)', async () => {
    const { escrowedKey } = await storePair(test(), fixture);
    await alter('escrowed_keys', "certificate_serial = '7f'", escrowedKey.id);
    expect(await broken()).to.deep.equal(['I1']);
  });

  it('sees an escrowed key over another public key (I1), which its blob is not (I9)', async () => {
    const first = await storePair(test(), fixture, 'gw-1');
    const second = await storePair(test(), fixture, 'gw-2');
    const event = await recordEvent(fixture);
    await fixture.sql('update escrowed_keys set spki = ?, last_audit_event = ? where id = ?', [
      second.escrowedKey.spki,
      event,
      first.escrowedKey.id,
    ]);
    expect(await broken()).to.deep.equal(['I1', 'I9']);
  });

  it('sees a blob of another row, and a key-encryption key that is nowhere (I9)', async () => {
    const first = await storePair(test(), fixture, 'gw-1');
    const second = await storePair(test(), fixture, 'gw-2');
    await fixture.sql('update escrowed_keys set sealed_key = ?, last_audit_event = ? where id = ?', [
      second.escrowedKey.sealedKey ?? null,
      await recordEvent(fixture),
      first.escrowedKey.id,
    ]);
    await alter('escrowed_keys', 'kek_version = 99', second.escrowedKey.id);
    const results = await checkInstance(test().instance);
    expect(results.find(({ id }) => id === 'I9')?.violations).to.have.length(2);
  });

  it('sees a key that was given to two devices (I2)', async () => {
    const first = await storePair(test(), fixture, 'gw-1');
    const second = await storePair(test(), fixture, 'gw-2');
    await alter('certificates', `spki_sm3 = '${first.enc.spkiSm3}'`, second.sign.id);
    expect(await broken()).to.deep.equal(['I2']);
  });

  it('sees a batch that is not as many keys as it was made of (I8)', async () => {
    await refillPool(withPool(test().instance, { batch: 3 }), SYSTEM, { pool: 'sm2-encryption' });
    expect(await broken()).to.deep.equal([]);
    const [key] = await test().database.read((reader) => reader.escrowedKeys.list({ state: 'spare' }, { limit: 1 }));
    await alter('escrowed_keys', "batch_id = 'on-demand'", key?.id ?? '');
    expect(await broken()).to.deep.equal(['I8']);
  });

  it('sees a CRL number that was altered, and a revoked certificate that the CRL lacks (I10)', async () => {
    await publishCrl(test().instance, SYSTEM, 'sm2-issuing');
    await fixture.sql("update authorities set crl_number = '9' where id = 'sm2-issuing'");
    expect(await broken()).to.deep.equal(['I10']);
    await fixture.sql("update authorities set crl_number = '1' where id = 'sm2-issuing'");
    expect(await broken()).to.deep.equal([]);
    const { sign } = await storePair(test(), fixture);
    await alter(
      'certificates',
      "status = 'revoked', reason = 'superseded', revoked_at = '2026-01-01T00:00:00.000Z'",
      sign.id,
    );
    expect(await broken()).to.deep.equal(['I10']);
  });

  it('sees files of another epoch than the database (I6)', async () => {
    await fixture.sql('update keystore_epoch set epoch = epoch + 1');
    expect(await broken()).to.deep.equal(['I6']);
  });

  it('sees somebody who has left and still holds a role and an account (I13)', async () => {
    await fixture.sql("update people set status = 'left' where id = ?", [test().people.raOne.id]);
    expect(await broken()).to.deep.equal(['I13']);
    const found = (await checkInstance(test().instance)).find(({ id }) => id === 'I13');
    expect(found?.violations).to.have.length(2);
  });

  it('counts the violations that it does not name', async () => {
    const pairs = [];
    for (let i = 0; i < 22; i += 1) pairs.push(await storePair(test(), fixture, `gw-${i}`));
    for (const { escrowedKey } of pairs) await alter('escrowed_keys', 'kek_version = 99', escrowedKey.id);
    const violations = (await checkInstance(test().instance)).find(({ id }) => id === 'I9')?.violations;
    expect(violations).to.have.length(21);
    expect(violations?.at(-1)).to.equal('and 2 more');
  });
});
