/**
 * kill -9 at the durable writes of a key's life. `npm test` cuts at a part of them; KMC_TEST_CRASH_POINTS=all at each, in
 * the transaction before it commits and right after.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { checkInstance } from '../../../src/flows/check/check-instance.ts';
import { destroyDueKeys } from '../../../src/flows/keys/destroy-due-keys.ts';
import { rewrapKeys } from '../../../src/flows/keystore/rewrap-keys.ts';
import type { CastMember } from '../../fixtures/estate.ts';
import { SYSTEM, TestInstance } from '../../fixtures/instance.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import { forEachDatabase, type DatabaseFixture } from '../../store/databases.ts';

const ALL = process.env['KMC_TEST_CRASH_POINTS'] === 'all';
const SCRIPT = join(import.meta.dirname, 'keys-until-killed.ts');
/** In the fill, the rewrap and the destruction; the whole run has about thirty. */
const SAMPLE: readonly (readonly [number, 'before' | 'after'])[] = [[9, 'before']];
/** More than the run has: the last numbers run to the end. */
const MOST = 40;

/** Runs the process to its end. @returns the folder of its keystore, and whether it was killed. */
async function run(
  fixture: DatabaseFixture,
  number: number,
  mode: string,
): Promise<{ folder: string; killed: boolean }> {
  const args = ['--import', 'tsx', SCRIPT, fixture.url, String(number), mode];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) lines.push(line);
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  const killed = child.signalCode === 'SIGKILL';
  expect(killed || child.exitCode === 0, `ended with ${child.exitCode}`).to.equal(true);
  return { folder: lines[0] ?? '', killed };
}

interface StoredCustodian {
  readonly id: string;
  readonly key: string;
  readonly certificate: string;
  readonly caller: CastMember['caller'];
  readonly share: string;
}

/** The custodians are those of the process that was killed: it left their keys and shares. */
async function unseal(test: TestInstance, folder: string): Promise<void> {
  const { engine } = test.instance;
  const stored = JSON.parse(readFileSync(join(folder, 'custodians.json'), 'utf8')) as StoredCustodian[];
  const members = await Promise.all(
    stored.map(async ({ key, certificate, ...one }) => ({
      ...test.people.custodianOne,
      ...one,
      key: await engine.importPkcs8(Buffer.from(key, 'base64'), Buffer.from('a passphrase')),
      certificate: parseCertificate(Buffer.from(certificate, 'base64')),
    })),
  );
  await test.unseal(new Map(stored.map(({ id, share }) => [id, Buffer.from(share, 'base64')])), members);
}

async function holds({ instance }: TestInstance): Promise<void> {
  const results = await checkInstance(instance);
  expect(results.map(({ id }) => id)).to.include.members(['I1', 'I2', 'I8', 'I9']);
  for (const { id, violations, limit } of results) expect([violations, limit], id).to.deep.equal([[], undefined]);
}

forEachDatabase('keys whose process is killed', (fixture) => {
  async function survives(number: number, mode: 'before' | 'after'): Promise<boolean> {
    const { folder, killed } = await run(fixture, number, mode);
    const test = await TestInstance.open(fixture.url, folder);
    try {
      await unseal(test, folder);
      await holds(test);
      // What was cut goes on.
      while ((await rewrapKeys(test.instance, SYSTEM, 2)) > 0);
      await destroyDueKeys(test.instance, SYSTEM);
      await holds(test);
      const current = test.instance.keystore.currentKek('escrow-store').version;
      const keys = await test.database.read((reader) => reader.escrowedKeys.list({}, { limit: 99 }));
      for (const key of keys.filter(({ store }) => store !== 'tombstone')) expect(key.kekVersion).to.equal(current);
      expect(keys.filter(({ state }) => state === 'destroy-pending')).to.deep.equal([]);
      const managed = await test.database.read((reader) => reader.managedKeys.list({ limit: 99 }));
      const versions = managed.flatMap((key) => key.versions).filter(({ sealedKey }) => sealedKey !== undefined);
      const dbField = test.instance.keystore.currentKek('db-field').version;
      for (const version of versions) expect(version.kekVersion).to.equal(dbField);
      expect(versions.filter(({ state }) => state === 'destroy-pending')).to.deep.equal([]);
    } finally {
      await test.stop();
    }
    return killed;
  }

  if (ALL) {
    for (let number = 1; number <= MOST; number += 1) {
      for (const mode of ['before', 'after'] as const) {
        it(`hold every invariant and go on, cut ${mode} the end of transaction ${number}`, async () => {
          await survives(number, mode);
        }).timeout(120_000);
      }
    }
    return;
  }
  for (const [number, mode] of SAMPLE) {
    it(`hold every invariant and go on, cut ${mode} the end of transaction ${number}`, async () => {
      expect(await survives(number, mode)).to.equal(true);
    }).timeout(120_000);
  }
});
