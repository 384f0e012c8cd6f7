import { expect } from 'chai';
import type { PoolRule } from '../../../src/domain/key-pool.ts';
import { checkInstance } from '../../../src/flows/check/check-instance.ts';
import { enrolDevice } from '../../../src/flows/enrolments/enrol-device.ts';
import type { Instance } from '../../../src/flows/instance.ts';
import { keepPools } from '../../../src/flows/pools/keep-pools.ts';
import { listPools } from '../../../src/flows/pools/list-pools.ts';
import { refillPool } from '../../../src/flows/pools/refill-pool.ts';
import { releaseBatches } from '../../../src/flows/pools/release-batches.ts';
import { encryptSm2 } from '../../../src/crypto/gm/sm2-encrypt.ts';
import { sm2PointFromSpki } from '../../../src/crypto/spki.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import { readyDevice } from '../../fixtures/enrolling.ts';
import { SYSTEM, testInstance, withPool } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { refusal } from '../../store/race.ts';

const POOL = 'sm2-encryption';
const SMALL: PoolRule = { low: 4, high: 10, batch: 4, onDemand: false, needsBackup: false };

forEachDatabase('a key pool', (fixture) => {
  const test = testInstance(fixture);

  const pooled = (rule: Partial<PoolRule> = {}): Instance => withPool(test().instance, { ...SMALL, ...rule });

  async function status(instance: Instance): Promise<Awaited<ReturnType<typeof listPools>>[number]> {
    const [pool] = await listPools(instance);
    if (pool === undefined) throw new Error('there is no pool');
    return pool;
  }

  async function fillUp(instance: Instance): Promise<number> {
    let made = 0;
    for (;;) {
      const batch = await refillPool(instance, test().people.caOperatorOne.caller, { pool: POOL });
      if (batch === undefined) return made;
      made += batch.count;
    }
  }

  it('is filled in the background from below its low mark to its high mark, and says so when it is low', async () => {
    const instance = pooled();
    const stop = new AbortController();
    const alarms: boolean[] = [];
    const kept = keepPools(instance, {
      pauseMs: 5,
      signal: stop.signal,
      alarm: (_pool, isLow) => alarms.push(isLow),
      trouble: (error) => {
        throw error;
      },
    });
    const deadline = Date.now() + 15_000;
    while ((await status(instance)).spare < SMALL.high && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    // Between the marks it is left alone.
    const { device: _device, input } = await readyDevice(test(), 'gw-1');
    await enrolDevice(instance, input);
    await new Promise((resolve) => setTimeout(resolve, 60));
    stop.abort();
    await kept;
    const pool = await status(instance);
    expect(pool).to.include({ spare: SMALL.high - 1, generated: 0, belowLow: false });
    expect(alarms).to.deep.equal([]);
    const batches = await test().database.read((reader) => reader.keyBatches.newest(POOL, 9));
    expect(batches.map(({ count }) => count)).to.deep.equal([2, 4, 4]);
    const history = await test().history('pool', POOL);
    expect(history.map(({ act, det }) => [act, det['count'], det['batch']])).to.deep.equal(
      batches.toReversed().map(({ id, count }) => ['pool.refill', count, id]),
    );
    for (const batch of batches) {
      expect(batch.generator).to.equal('software');
      expect(batch.selfTestedAt.getTime()).to.be.at.most(batch.createdAt.getTime() + 5_000);
    }
  }).timeout(40_000);

  it('raises its alarm once, when it falls below the low mark, and ends it once', async () => {
    // The marks are wide, and each batch small: several rounds pass below the low mark.
    const instance = pooled({ low: 9, high: 10, batch: 3 });
    const stop = new AbortController();
    const alarms: boolean[] = [];
    await keepPools(instance, {
      pauseMs: 5,
      signal: stop.signal,
      alarm(_pool, isLow) {
        alarms.push(isLow);
        if (!isLow) stop.abort();
      },
      trouble: (error) => {
        throw error;
      },
    });
    expect(alarms).to.deep.equal([true, false]);
  }).timeout(40_000);

  it('gives an enrolment its key, whose escrowed half is the one of the envelope', async () => {
    const instance = pooled();
    expect(await fillUp(instance)).to.equal(SMALL.high);
    const { input, key } = await readyDevice(test(), 'gw-1');
    const outcome = await enrolDevice(instance, input);
    if (outcome.state !== 'ISSUED') throw new Error('it waits');
    const { encCertificate, envelopedKey } = outcome.answer;
    const certificate = parseCertificate(encCertificate ?? Buffer.alloc(0));
    const row = await test().database.read((reader) =>
      reader.escrowedKeys.findByCertificate('sm2-issuing', certificate.serialNumber),
    );
    expect(row).to.include({ state: 'active', store: 'in-use', version: 2 });
    expect(row?.batchId).to.match(/^batch-/);
    expect(row?.spki.equals(certificate.spki)).to.equal(true);
    const opened = await instance.engine.openEnvelopedKey(key, envelopedKey ?? Buffer.alloc(0));
    expect(opened.spki.equals(certificate.spki)).to.equal(true);
    const secret = await instance.engine.decryptSecret(
      opened,
      encryptSm2(sm2PointFromSpki(certificate.spki), Buffer.from('sixteen octets!!')),
    );
    expect(secret.length).to.equal(16);
    expect(await status(instance)).to.include({ spare: SMALL.high - 1 });
    for (const result of await checkInstance(instance)) expect(result.violations, result.id).to.deep.equal([]);
  });

  it('that is empty refuses with Retry-After, and leaves nothing of the enrolment behind', async () => {
    const instance = pooled();
    const { input } = await readyDevice(test(), 'gw-1');
    const error = await refusal('E_POOL_EMPTY', enrolDevice(instance, input));
    expect(error.retryAfter).to.equal(30);
    expect(await fixture.sql('select id from enrolments')).to.deep.equal([]);
    await fillUp(instance);
    expect((await enrolDevice(instance, input)).state).to.equal('ISSUED');
  });

  it('that is empty makes a key on demand where policy allows it', async () => {
    const instance = pooled({ onDemand: true });
    const { input } = await readyDevice(test(), 'gw-1');
    expect((await enrolDevice(instance, input)).state).to.equal('ISSUED');
    const [row] = await test().database.read((reader) => reader.escrowedKeys.list({}, { limit: 9 }));
    expect(row).to.include({ batchId: 'on-demand', version: 1, state: 'active' });
    for (const result of await checkInstance(instance)) expect(result.violations, result.id).to.deep.equal([]);
  });

  it('with the switch on issues only what a verified backup holds', async () => {
    const instance = pooled({ needsBackup: true });
    expect(await fillUp(instance)).to.equal(SMALL.high);
    expect(await status(instance)).to.include({ spare: 0, generated: SMALL.high, belowLow: true });
    const { input } = await readyDevice(test(), 'gw-1');
    await refusal('E_POOL_EMPTY', enrolDevice(instance, input));
    const release = (backupId: string, takenAt: Date) =>
      releaseBatches(instance, test().people.systemOne.caller, { pool: POOL, backupId, takenAt });
    // A backup from before the batches holds none of them.
    expect(await release('backup-1', new Date(test().clock.now().getTime() - 1000))).to.deep.equal({
      batches: 0,
      keys: 0,
    });
    test().clock.advance(3_600);
    expect(await release('backup-2', test().clock.now())).to.deep.equal({ batches: 3, keys: SMALL.high });
    expect(await release('backup-3', test().clock.now())).to.deep.equal({ batches: 0, keys: 0 });
    await refusal('E_TIME', release('backup-4', new Date(test().clock.now().getTime() + 60_000)));
    expect(await status(instance)).to.include({ spare: SMALL.high, generated: 0 });
    const [batch] = await test().database.read((reader) => reader.keyBatches.newest(POOL, 1));
    expect(batch?.backupId).to.equal('backup-2');
    const other = await readyDevice(test(), 'gw-2');
    expect((await enrolDevice(instance, other.input)).state).to.equal('ISSUED');
  });

  it('passes over a key that does not open, tells of it at once, and the check finds it', async () => {
    const instance = pooled({ high: 5, batch: 5 });
    await fillUp(instance);
    const rows = await test().database.read((reader) => reader.escrowedKeys.list({}, { limit: 9 }));
    const sound = rows[0]?.id ?? '';
    // Somebody writes the database: every other key gets the blob of another one.
    await fixture.sql(`update escrowed_keys set last_audit_event = (select id from audit_event where act = 'keystore.create'),
      sealed_key = (select sealed_key from escrowed_keys where id = '${sound}') where id <> '${sound}'`);
    const { input } = await readyDevice(test(), 'gw-1');
    expect((await enrolDevice(instance, input)).state).to.equal('ISSUED');
    const taken = await test().database.read((reader) => reader.escrowedKeys.find(sound));
    expect(taken?.state).to.equal('active');
    const other = await readyDevice(test(), 'gw-2');
    await refusal('E_POOL_EMPTY', enrolDevice(instance, other.input));
    const faults = await test().database.read((reader) => reader.keyFaults.list(9));
    expect(faults.map(({ keyId }) => keyId).sort()).to.deep.equal(
      rows
        .slice(1)
        .map(({ id }) => id)
        .sort(),
    );
    for (const { keyId } of faults) {
      expect((await test().history('key', keyId)).map(({ act, code }) => [act, code])).to.deep.equal([
        ['key.broken', 'E_BLOB_AUTH'],
      ]);
    }
    const blobs = (await checkInstance(instance)).find(({ id }) => id === 'I9');
    expect(blobs?.violations.length).to.equal(4);
  });

  it('is not filled while the keystore is sealed', async () => {
    const instance = pooled();
    instance.keystore.seal();
    await refusal('E_SEALED', refillPool(instance, SYSTEM, { pool: POOL }));
  });
});
