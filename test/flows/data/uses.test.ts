import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { AuditRecord } from '../../../src/domain/audit/record.ts';
import { closeLostUses } from '../../../src/flows/data/close-lost-uses.ts';
import { decryptData } from '../../../src/flows/data/decrypt-data.ts';
import { encryptData } from '../../../src/flows/data/encrypt-data.ts';
import { writeUseCounts } from '../../../src/flows/data/write-use-counts.ts';
import { rotateManagedKey } from '../../../src/flows/managed-keys/rotate-managed-key.ts';
import type { ManagedKey } from '../../../src/flows/ports/managed-keys.ts';
import {
  dataPorts,
  grant,
  managedKey,
  registeredApplication,
  type RegisteredApplication,
} from '../../fixtures/applications.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { refusal } from '../../store/race.ts';

const SCRIPT = join(import.meta.dirname, 'uses-in-process.ts');
const ITEM = { plaintext: Buffer.from('data') };

forEachDatabase('uses of a managed key', (fixture) => {
  const test = testInstance(fixture);
  let ports: ReturnType<typeof dataPorts>;
  let application: RegisteredApplication;
  let key: ManagedKey;
  const versionId = (): string => `${key.id}-v1`;

  async function prepare(useLimit?: number): Promise<void> {
    ports = dataPorts(test());
    application = await registeredApplication(test());
    key = await managedKey(test(), useLimit === undefined ? {} : { useLimit });
    await grant(test(), application, key, 'encrypt', 'decrypt');
  }

  async function encrypt(count = 1): Promise<Buffer> {
    const items = Array.from({ length: count }, () => ITEM);
    const { ciphertexts } = await encryptData(ports, application.caller, key.id, items);
    return ciphertexts[0]!;
  }

  function decrypt(ciphertext: Buffer): Promise<unknown> {
    return decryptData(ports, application.caller, key.id, [{ ciphertext }]);
  }

  async function told(id = versionId()): Promise<AuditRecord[]> {
    return (await test().history('key', id)).filter(({ act }) => act === 'key.use');
  }

  function reserved(): Promise<number> {
    return test().database.read((reader) => reader.keyUses.reserved(versionId()));
  }

  async function blocks(): Promise<number> {
    const all = await test().database.read((reader) => reader.keyUses.blocksBefore(new Date('9999-01-01'), 100));
    return all.length;
  }

  interface Using {
    /** Lets it begin. */
    go(): void;
    readonly ended: Promise<{ readonly made: number; readonly signal: NodeJS.Signals | null }>;
  }

  /** Another process that is ready to use the key; its end says how much it made. */
  async function using(...args: string[]): Promise<Using> {
    const child = spawn('node', ['--import', 'tsx', SCRIPT, fixture.url, versionId(), ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [ready] = (await once(child.stdout, 'data')) as [Buffer];
    if (ready.toString() !== 'ready') throw new Error('the process is not ready');
    const closed = once(child, 'close');
    const ended = text(child.stdout).then(async (made) => {
      await closed;
      return { made: Number(made), signal: child.signalCode };
    });
    return { go: () => void child.stdin.end(), ended };
  }

  it('are told as one event for each version, caller and minute, with a count for each operation', async () => {
    await prepare();
    const other = await registeredApplication(test(), 'app-2');
    await grant(test(), other, key, 'encrypt');
    const ciphertext = await encrypt(3);
    await decrypt(ciphertext);
    await refusal('E_DECRYPT', decrypt(Buffer.concat([ciphertext, Buffer.alloc(1)])));
    await encryptData(ports, other.caller, key.id, [ITEM]);
    expect(await writeUseCounts(ports)).to.equal(0);
    test().clock.advance(60);
    await encrypt();
    expect(await writeUseCounts(ports)).to.be.within(3, 4);
    const events = await told();
    const mine = events.filter(({ actor }) => actor.id === 'app-1').map(({ det }) => det);
    const sum = (name: string): number => mine.reduce((total, det) => total + Number(det[name] ?? 0), 0);
    expect([sum('encrypt'), sum('decrypt'), sum('failures')]).to.deep.equal([4, 2, 1]);
    expect(events.find(({ actor }) => actor.id === 'app-2')?.det).to.include({ encrypt: 1, version: 1 });
    expect(events.every(({ actor }) => actor.t === 'application')).to.equal(true);
    expect(await blocks()).to.equal(0);
    expect(await writeUseCounts(ports, true)).to.equal(0);
  });

  it('end at the limit with E_PERIOD, what was reserved and not used goes back, and a next version begins anew', async () => {
    await prepare(10);
    const ciphertext = await encrypt(4);
    await encrypt(4);
    await refusal('E_PERIOD', encrypt(3));
    await writeUseCounts(ports, true);
    expect(await reserved()).to.equal(8);
    await encrypt(2);
    await refusal('E_PERIOD', encrypt());
    await decrypt(ciphertext);
    const rotation = { keyId: key.id, reason: 'a test' };
    await rotateManagedKey(test().instance, test().people.caOperatorOne.caller, rotation);
    await encrypt(10);
    await refusal('E_PERIOD', encrypt());
    await writeUseCounts(ports, true);
    expect(await reserved()).to.equal(10);
    expect((await told()).length).to.equal(2);
  });

  it('are never more than the limit, by however many callers of however many processes', async function () {
    this.timeout(60_000);
    await prepare(3_000);
    const args = ['3000', '7'];
    const both = await Promise.all([using(...args), using(...args)]);
    for (const each of both) each.go();
    const [one, two] = await Promise.all(both.map(({ ended }) => ended));
    if (one === undefined || two === undefined) throw new Error('two were started');
    const made = one.made + two.made;
    expect(made).to.be.at.most(3_000).and.to.be.greaterThan(2_000);
    expect(Math.min(one.made, two.made), 'both took part').to.be.greaterThan(0);
    expect(await reserved()).to.be.at.most(3_000);
    const raced = await Promise.allSettled(Array.from({ length: 20 }, () => encrypt()));
    const inside = raced.filter(({ status }) => status === 'fulfilled').length;
    expect(made + inside).to.be.at.most(3_000);
  });

  it('of a process that is killed are told of as lost, one block at the most, and stay counted', async function () {
    this.timeout(60_000);
    await prepare(10_000);
    const killed = await using('10000', '3', 'until-killed');
    killed.go();
    const { signal } = await killed.ended;
    expect(signal).to.equal('SIGKILL');
    expect([await blocks(), await reserved()]).to.deep.equal([1, 500]);
    expect(await closeLostUses(test().instance, SYSTEM)).to.equal(0);
    test().clock.advance(16 * 60);
    expect(await closeLostUses(test().instance, SYSTEM)).to.equal(1);
    expect(await closeLostUses(test().instance, SYSTEM)).to.equal(0);
    const [event] = await told();
    expect(event?.det).to.include({ lost: 500 });
    expect([await blocks(), await reserved()]).to.deep.equal([0, 500]);
  });

  it('that cannot be written stay with the process until they can', async () => {
    await prepare(100);
    await encrypt(5);
    const { database } = test();
    const failing = { ...ports, database: { ...database, transaction: () => Promise.reject(new Error('gone')) } };
    const failed = await writeUseCounts(failing as unknown as typeof ports, true).catch(() => 'failed');
    expect(failed).to.equal('failed');
    expect(await writeUseCounts(ports, true)).to.equal(1);
    expect((await told()).map(({ det }) => det['encrypt'])).to.deep.equal([5]);
    expect([await blocks(), await reserved()]).to.deep.equal([0, 5]);
  });
});
