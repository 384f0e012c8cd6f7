import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { verifySignature } from '../../../src/crypto/algorithms.ts';
import { createSoftwareEngine } from '../../../src/crypto/software-engine.ts';
import type { CeremonyKeystore } from '../../../src/flows/keystore/ceremony-keystore.ts';
import { createKeystore } from '../../../src/flows/keystore/create-keystore.ts';
import { openCeremonyKeystore, type OpenCeremonyInput } from '../../../src/flows/keystore/open-ceremony-keystore.ts';
import type { KeystoreFiles } from '../../../src/flows/ports/keystore.ts';
import { openFileKeystore } from '../../../src/keystore/file-keystore.ts';
import { refusal } from '../../crypto/refusal.ts';
import { scratchDirectory } from '../../keystore/scratch.ts';
import { delivery, makeCustodians, type Custodian } from './custodians.ts';
import { SOURCE, StandingClock, SYSTEM } from './service-instance.ts';

const MESSAGE = Buffer.from('tbsCertificate');

describe('ceremony keystore', () => {
  const scratch = scratchDirectory();
  const clock = new StandingClock();
  const engine = createSoftwareEngine();
  let custodians: Custodian[];
  let files: KeystoreFiles;
  const ports = (): { engine: typeof engine; files: KeystoreFiles; clock: StandingClock } => ({ engine, files, clock });
  const root = (): string => join(scratch(), 'ceremony');

  before(async () => {
    custodians = await makeCustodians(5);
  });
  beforeEach(async () => {
    files = openFileKeystore(root(), 'ceremony');
    await create();
  });
  afterEach(() => files.close());

  const create = (): Promise<unknown> => {
    const holders = custodians.map((custodian) => custodian.holder);
    const input = { instance: 'kmc-test', threshold: 3, holders, deliver: delivery(custodians), source: SOURCE };
    return createKeystore(ports(), { ...input, change: 'cer-1-s1' }, SYSTEM);
  };
  const open = async (input: OpenCeremonyInput, holders = custodians.slice(0, 3)): Promise<CeremonyKeystore> => {
    const opening = await openCeremonyKeystore(ports(), input);
    for (const holder of holders) {
      const keystore = await opening.submit(holder.caller.id, await holder.transfer(opening.session.spki));
      if (keystore !== undefined) return keystore;
    }
    throw new Error('more shares are needed');
  };
  const newRoot = { change: 'cer-1-s2', keyId: 'root-sm2-2026', algorithm: 'SM2' } as const;

  it('holds its files in the layout of security-and-faults 2.4', async () => {
    const keystore = await open({ lastEpoch: 1 });
    await keystore.generateRootKey(newRoot);
    keystore.close();
    expect(files.list().map((file) => file.path.replace(/[0-9a-f]{32}/, 'SET'))).to.deep.equal([
      'FORMAT',
      'kek/audit-mac/0001.blob',
      'kek/backup/0001.blob',
      'kek/root-keys/0001.blob',
      'root/root-sm2-2026.0001.blob',
      'seal/shamir-SET.json',
    ]);
  });

  it('a root key made in one ceremony signs in the next', async () => {
    const first = await open({ lastEpoch: 1 });
    const { spki } = await first.generateRootKey(newRoot);
    expect([first.epoch, first.rootKeys()]).to.deep.equal([2, [{ keyId: 'root-sm2-2026', version: 1 }]]);
    first.close();
    const second = await open({ lastEpoch: 2 }, custodians.slice(2));
    const signature = await second.sign('root-sm2-2026', 'SM2-SM3', MESSAGE);
    expect(verifySignature('SM2-SM3', spki, MESSAGE, signature)).to.equal(true);
    await refusal('E_USAGE', () => second.sign('root-sm2-2026', 'RSA-SHA256', MESSAGE));
    await refusal('E_NOT_FOUND', () => second.rootKey('root-other'));
    second.close();
  });

  it('closing takes every key out of the engine, and nothing works afterwards', async () => {
    const keystore = await open({ lastEpoch: 1 });
    const key = await keystore.generateRootKey(newRoot);
    keystore.close();
    keystore.close();
    await refusal('E_KEY', () => engine.sign(key, 'SM2-SM3', MESSAGE));
    for (const use of [
      () => keystore.rootKey('root-sm2-2026'),
      () => keystore.sign('root-sm2-2026', 'SM2-SM3', MESSAGE),
      () => keystore.backupKek(),
      () => keystore.generateRootKey({ ...newRoot, keyId: 'root-2' }),
      () => keystore.destroyRootKey('cer-1-s9', 'root-sm2-2026', {}),
    ]) {
      await refusal('E_SEALED', use);
    }
  });

  it('two shares open nothing, and a wrong one does not end the session', async () => {
    const opening = await openCeremonyKeystore(ports(), { lastEpoch: 1 });
    const submit = async (at: number, holder = custodians[at]!): Promise<CeremonyKeystore | undefined> =>
      opening.submit(holder.caller.id, await holder.transfer(opening.session.spki));
    expect(await submit(0)).to.equal(undefined);
    await refusal('E_SHARE_BAD', () => opening.submit('p-2', Buffer.from('x')));
    expect(await submit(1)).to.equal(undefined);
    const keystore = await submit(2);
    expect(keystore?.rootKeys()).to.deep.equal([]);
    keystore?.close();
    const cancelled = await openCeremonyKeystore(ports(), { lastEpoch: 1 });
    cancelled.cancel();
    await refusal('E_STATE', () => cancelled.submit('p-1', Buffer.from('x')));
  });

  it('a key id is used once, also after its key was destroyed', async () => {
    const keystore = await open({ lastEpoch: 1 });
    await keystore.generateRootKey(newRoot);
    await refusal('E_EXISTS', () => keystore.generateRootKey(newRoot));
    const evidence = await keystore.destroyRootKey('cer-1-s3', 'root-sm2-2026', { statement: 'all copies destroyed' });
    expect(evidence.path).to.equal('tomb/root-sm2-2026.json');
    expect(files.read(evidence.path).toString()).to.equal('{"statement":"all copies destroyed"}\n');
    expect([keystore.epoch, keystore.rootKeys()]).to.deep.equal([3, []]);
    await refusal('E_NOT_FOUND', () => keystore.rootKey('root-sm2-2026'));
    await refusal('E_EXISTS', () => keystore.generateRootKey(newRoot));
    await refusal('E_ID', () => keystore.generateRootKey({ ...newRoot, keyId: '../root' }));
    keystore.close();
    (await open({ lastEpoch: 3 })).close();
  });

  it('a legacy key comes in from outside', async () => {
    const keystore = await open({ lastEpoch: 1 });
    const key = await engine.generateKeyPair('EC-P256');
    await keystore.importRootKey('cer-1-s2', 'root-legacy', key);
    keystore.close();
    const again = await open({ lastEpoch: 2 });
    const signature = await again.sign('root-legacy', 'ECDSA-P256-SHA256', MESSAGE);
    expect(verifySignature('ECDSA-P256-SHA256', key.spki, MESSAGE, signature)).to.equal(true);
    again.close();
  });

  it('opens only at the epoch of the last bundle', async () => {
    const keystore = await open({ lastEpoch: 1 });
    cpSync(root(), join(scratch(), 'old'), { recursive: true, filter: (path) => !path.endsWith('.claim') });
    await keystore.generateRootKey(newRoot);
    keystore.close();
    for (const lastEpoch of [0, 1, 3]) await refusal('E_ROLLBACK', () => openCeremonyKeystore(ports(), { lastEpoch }));
    files.close();
    rmSync(root(), { recursive: true });
    cpSync(join(scratch(), 'old'), root(), { recursive: true });
    files = openFileKeystore(root(), 'ceremony');
    await refusal('E_ROLLBACK', () => openCeremonyKeystore(ports(), { lastEpoch: 2 }));
  });

  it('a resumed ceremony learns that its pending change is done, and makes no second key', async () => {
    const keystore = await open({ lastEpoch: 1 });
    await keystore.generateRootKey(newRoot);
    keystore.close();
    const input = { lastEpoch: 1, pendingChange: newRoot.change };
    expect((await openCeremonyKeystore(ports(), input)).isPendingChangeDone).to.equal(true);
    const notDone = { lastEpoch: 2, pendingChange: 'cer-1-s3' };
    expect((await openCeremonyKeystore(ports(), notDone)).isPendingChangeDone).to.equal(false);
    await refusal('E_ROLLBACK', () => openCeremonyKeystore(ports(), { lastEpoch: 1, pendingChange: 'cer-1-s3' }));
  });

  it('is re-shared with new keys at every level, twice, and old shares open nothing', async () => {
    let keystore = await open({ lastEpoch: 1 });
    const { spki } = await keystore.generateRootKey(newRoot);
    const secret = await engine.generateSecret(32);
    const context = { keyId: 'b-1', usage: 'backup', objectVersion: 1 };
    const backup = await engine.sealSecret(keystore.backupKek(), context, secret);
    const oldShare = custodians[0]!.share;
    for (const [epoch, change] of [
      [3, 'cer-2-s1'],
      [4, 'cer-3-s1'],
    ] as const) {
      const holders = custodians.map((custodian) => custodian.holder);
      await keystore.reshare(change, { threshold: 2, holders, deliver: delivery(custodians) });
      expect(keystore.epoch).to.equal(epoch);
      expect(
        verifySignature('SM2-SM3', spki, MESSAGE, await keystore.sign('root-sm2-2026', 'SM2-SM3', MESSAGE)),
      ).to.equal(true);
      keystore.close();
      keystore = await open({ lastEpoch: epoch }, custodians.slice(3));
      expect(
        verifySignature('SM2-SM3', spki, MESSAGE, await keystore.sign('root-sm2-2026', 'SM2-SM3', MESSAGE)),
      ).to.equal(true);
    }
    expect(keystore.rootKeys()).to.deep.equal([{ keyId: 'root-sm2-2026', version: 3 }]);
    expect(
      files
        .list()
        .map((file) => file.path)
        .filter((path) => !path.startsWith('seal')),
    ).to.deep.equal([
      'FORMAT',
      'kek/audit-mac/0003.blob',
      'kek/backup/0001.blob',
      'kek/backup/0002.blob',
      'kek/backup/0003.blob',
      'kek/root-keys/0003.blob',
      'master/mk-0001.blob',
      'master/mk-0002.blob',
      'root/root-sm2-2026.0003.blob',
    ]);
    expect(keystore.backupKek().version).to.equal(3);
    await refusal('E_BLOB_AUTH', () => engine.openSecret(keystore.backupKek(), context, backup));
    keystore.close();
    const opening = await openCeremonyKeystore(ports(), { lastEpoch: 4 });
    const old = await custodians[0]!.transfer(opening.session.spki, oldShare);
    await refusal('E_SHARE_SET', () => opening.submit('p-1', old));
  });

  for (const path of ['manifest.json', 'FORMAT', 'kek/root-keys/0001.blob', 'seal']) {
    it(`an altered ${path} is named, and nothing opens`, async () => {
      const name = path === 'seal' ? `seal/${readdirSync(join(root(), 'seal'))[0]!}` : path;
      const bytes = readFileSync(join(root(), name));
      bytes[30]! ^= 1;
      writeFileSync(join(root(), name), bytes);
      const error = await refusal('E_INTEGRITY', () => openCeremonyKeystore(ports(), { lastEpoch: 1 }));
      expect(error.message).to.include(path.replace('.json', ''));
    });
  }

  it('a forged manifest with a right digest is refused by its MAC', async () => {
    const path = join(root(), 'manifest.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace(/"mac":"[0-9a-f]{4}/, '"mac":"0000'));
    const error = await refusal('E_INTEGRITY', () => open({ lastEpoch: 1 }));
    expect(error.message).to.include('The manifest of the keystore is not what');
  });

  it('is not made twice, and not opened where it was never made', async () => {
    await refusal('E_EXISTS', create);
    const empty = openFileKeystore(join(scratch(), 'empty'), 'ceremony');
    await refusal('E_NOT_FOUND', () => openCeremonyKeystore({ engine, files: empty, clock }, { lastEpoch: 1 }));
    empty.close();
  });
});
