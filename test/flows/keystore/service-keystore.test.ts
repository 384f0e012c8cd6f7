import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { spkiSm3 } from '../../../src/crypto/spki.ts';
import { rotateKek } from '../../../src/flows/keystore/rotate-kek.ts';
import { reshareKeystore } from '../../../src/flows/keystore/reshare-keystore.ts';
import { sealService } from '../../../src/flows/keystore/seal-service.ts';
import { refusal } from '../../crypto/refusal.ts';
import { scratchDirectory } from '../../keystore/scratch.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { refuseAuditEvents } from './database-faults.ts';
import { delivery, makeCustodians, type Custodian } from './custodians.ts';
import { ServiceInstance, SOURCE, SYSTEM } from './service-instance.ts';

const CONTEXT = { keyId: 'k-1', usage: 'encrypt', objectVersion: 1 };

forEachDatabase('service keystore', (fixture) => {
  const scratch = scratchDirectory();
  let service: ServiceInstance;
  let custodians: Custodian[];

  before(async () => {
    custodians = await makeCustodians(2);
  });
  beforeEach(async () => {
    service = await ServiceInstance.start(scratch(), fixture.url);
  });
  afterEach(() => service.stop());

  const makeAndUnseal = async (): Promise<void> => {
    await service.create(custodians, 2);
    await service.unseal(custodians);
  };

  /** A CA key as the flow that makes one stores it. */
  const storeCaKey = async (keyId: string): Promise<Buffer> => {
    const { engine, keystore, database, clock } = service;
    const key = await engine.generateKeyPair('SM2');
    const sealed = await keystore.sealCaKey(keyId, 'sign', key);
    const row = {
      keyId,
      version: 1,
      algorithm: key.algorithm,
      spki: key.spki,
      spkiSm3: spkiSm3(key.spki),
      usage: 'sign',
    };
    await database.transaction((tx) =>
      tx.keystoreRows.addCaKey({ ...row, ...sealed, createdAt: clock.now() }, keystore.epoch),
    );
    engine.destroyKey(key);
    return key.spki;
  };

  it('does not exist, is sealed once made, and every use is refused until custodians open it', async () => {
    const { keystore } = service;
    expect(keystore.state).to.equal('UNINIT');
    await refusal('E_STATE', () => service.begin());
    await service.create(custodians, 2);
    expect(keystore.state).to.equal('SEALED');
    const uses: readonly (() => unknown)[] = [
      () => keystore.currentKek('ca-keys'),
      () => keystore.kek('ca-keys', 1),
      () => keystore.caKey('ca-1'),
      () => keystore.epoch,
      () => keystore.reload(),
      () => keystore.ringForChange(),
      () => rotateKek(service, { purpose: 'db-field', source: SOURCE }, SYSTEM),
      () => reshareKeystore(service, { threshold: 2, holders: [], deliver: () => undefined, source: SOURCE }, SYSTEM),
    ];
    for (const use of uses) await refusal('E_SEALED', use);
    expect(keystore.auditMacKeys.current()).to.equal(undefined);
    await service.unseal(custodians);
    expect(keystore.auditMacKeys.current()?.version).to.equal(1);
    await service.submit(custodians[0]!).catch(() => undefined);
    keystore.seal();
    for (const use of uses) await refusal('E_SEALED', use);
  });

  it('is made once', async () => {
    await service.create(custodians, 2);
    const before = service.files.list();
    await refusal('E_EXISTS', () => service.create(custodians, 2));
    expect(service.files.list()).to.deep.equal(before);
  });

  it('is not made for a database that belongs to another one', async () => {
    await service.create(custodians, 2);
    const elsewhere = join(scratch(), 'elsewhere');
    mkdirSync(elsewhere);
    const second = await ServiceInstance.start(elsewhere, fixture.url);
    await refusal('E_EXISTS', () => second.create(custodians, 2));
    expect(second.files.list()).to.deep.equal([]);
    await second.stop();
  });

  it('opens CA keys once, and takes them out of the engine when it is sealed', async () => {
    await makeAndUnseal();
    const spki = await storeCaKey('ca-1');
    const [a, b] = await Promise.all([service.keystore.caKey('ca-1'), service.keystore.caKey('ca-1')]);
    expect(a).to.equal(b);
    expect(a.spki).to.deep.equal(spki);
    await service.engine.sign(a, 'SM2-SM3', Buffer.from('x'));
    await refusal('E_NOT_FOUND', () => service.keystore.caKey('ca-2'));
    await sealService(service, { trigger: 'command', source: SOURCE }, SYSTEM);
    await refusal('E_KEY', () => service.engine.sign(a, 'SM2-SM3', Buffer.from('x')));
    await refusal('E_SEALED', () => service.keystore.caKey('ca-1'));
  });

  it('lets no CA key out that was still opening when it was sealed', async () => {
    await makeAndUnseal();
    await storeCaKey('ca-1');
    const opening = service.keystore.caKey('ca-1');
    service.keystore.seal();
    await opening.then(
      () => expect.fail('a key came out'),
      () => undefined,
    );
    await service.unseal(custodians);
    await service.keystore.caKey('ca-1');
  });

  it('refuses a CA key that is another than its row says', async () => {
    await makeAndUnseal();
    await storeCaKey('ca-1');
    const other = await service.engine.generateKeyPair('SM2');
    await fixture.sql('update sealed_ca_key set spki = ?', [other.spki]);
    await refusal('E_INTEGRITY', () => service.keystore.caKey('ca-1'));
  });

  it('rotates a key: the new version seals, the old one opens, and another node learns of it', async () => {
    await makeAndUnseal();
    const { engine, keystore } = service;
    const secret = await engine.generateSecret(32);
    const old = await engine.sealSecret(keystore.currentKek('db-field'), CONTEXT, secret);
    const node = keystore.ringForChange();
    expect(node.kek('db-field', 2)).to.equal(undefined);
    expect(await rotateKek(service, { purpose: 'db-field', source: SOURCE }, SYSTEM)).to.equal(2);
    expect(keystore.currentKek('db-field').version).to.equal(2);
    await engine.openSecret(await keystore.kek('db-field', 1), CONTEXT, old);
    await refusal('E_BLOB_AUTH', async () => engine.openSecret(await keystore.kek('db-field', 2), CONTEXT, old));
    await refusal('E_NOT_FOUND', () => keystore.kek('db-field', 3));
    expect(keystore.epoch).to.equal(1);
    keystore.seal();
    await service.unseal(custodians);
    await engine.openSecret(await keystore.kek('db-field', 1), CONTEXT, old);
  });

  it('reads the rows again for a version that it does not know, and seals when the epoch moved', async () => {
    await makeAndUnseal();
    const ring = service.keystore.ringForChange();
    const { blob, keyCheckValue } = await ring.generateKek('transport', 2);
    const row = { purpose: 'transport' as const, version: 2, blob, keyCheckValue, createdAt: service.clock.now() };
    await service.database.transaction((tx) => tx.keystoreRows.addKek(row, 1));
    expect((await service.keystore.kek('transport', 2)).version).to.equal(2);
    await fixture.sql('update keystore_epoch set epoch = 2');
    await refusal('E_SEALED', () => service.keystore.kek('transport', 3));
    expect(service.keystore.state).to.equal('SEALED');
  });

  it('is sealed by a security administrator and nobody below, and records why', async () => {
    await makeAndUnseal();
    const person = { ...custodians[0]!.caller, roles: [{ role: 'security-administrator' as const }] };
    const input = { trigger: 'command' as const, source: SOURCE };
    await refusal('E_FORBIDDEN', () => sealService(service, input, custodians[0]!.caller));
    expect(service.keystore.state).to.equal('UNSEALED');
    expect(await sealService(service, input, person)).to.deep.equal({ state: 'SEALED' });
    const rows = await service.database.read((reader) => reader.audit.history('keystore', 'service', 0, 100));
    expect(rows.at(-1)?.canon.toString()).to.include('"act":"keystore.seal"').and.to.include('"trigger":"command"');
  });

  it('is sealed even when that cannot be recorded', async () => {
    await makeAndUnseal();
    await refuseAuditEvents(fixture);
    await sealService(service, { trigger: 'storage', source: SOURCE }, SYSTEM).then(
      () => expect.fail('it was recorded'),
      () => undefined,
    );
    expect(service.keystore.state).to.equal('SEALED');
  });

  it('is re-shared: old shares open nothing, new ones open the same keys', async () => {
    await makeAndUnseal();
    const { engine, keystore } = service;
    const secret = await engine.generateSecret(32);
    const blob = await engine.sealSecret(keystore.currentKek('escrow-store'), CONTEXT, secret);
    await storeCaKey('ca-1');
    const old = custodians[0]!.share;
    const next = await makeCustodians(3);
    const holders = next.map((custodian) => custodian.holder);
    const input = { threshold: 2, holders, deliver: delivery(next), source: SOURCE };
    const { epoch } = await reshareKeystore(service, input, SYSTEM);
    expect([epoch, keystore.epoch, keystore.state]).to.deep.equal([2, 2, 'UNSEALED']);
    await engine.openSecret(keystore.currentKek('escrow-store'), CONTEXT, blob);
    await keystore.caKey('ca-1');
    keystore.seal();
    await service.begin();
    await refusal('E_SHARE_BAD', () => service.submitCiphertext(next[0]!, Buffer.from('x')));
    await custodians[0]!
      .transfer(keystore.session(service.clock.now())!.spki, old)
      .then(async (share) => refusal('E_SHARE_BAD', () => service.submitCiphertext(next[1]!, share)));
    service.clock.advance(10);
    keystore.endSession();
    await service.unseal(next.slice(1));
    await engine.openSecret(keystore.currentKek('escrow-store'), CONTEXT, blob);
    expect(service.files.list().map((file) => file.path.replace(/[0-9a-f]{32}/, 'SET'))).to.deep.equal([
      'FORMAT',
      'master/mk-0001.blob',
      'seal/shamir-SET.json',
    ]);
  });

  it('opens a key that is still sealed under an earlier master key', async () => {
    await makeAndUnseal();
    const ring = service.keystore.ringForChange();
    const { blob, keyCheckValue } = await ring.generateKek('backup', 2);
    const holders = custodians.map((custodian) => custodian.holder);
    const input = { threshold: 2, holders, deliver: delivery(custodians), source: SOURCE };
    await reshareKeystore(service, input, SYSTEM);
    await reshareKeystore(service, input, SYSTEM);
    const row = { purpose: 'backup' as const, version: 2, blob, keyCheckValue, createdAt: service.clock.now() };
    await service.database.transaction((tx) => tx.keystoreRows.addKek(row, 3));
    expect((await service.keystore.kek('backup', 2)).version).to.equal(2);
  });

  it('stays open when a re-sharing is refused before it began', async () => {
    await makeAndUnseal();
    const holders = [custodians[0]!.holder, custodians[0]!.holder];
    const input = { threshold: 2, holders, deliver: () => undefined, source: SOURCE };
    await refusal('E_SAME_PERSON', () => reshareKeystore(service, input, SYSTEM));
    expect(service.keystore.state).to.equal('UNSEALED');
    expect(service.keystore.currentKek('backup').version).to.equal(1);
    service.keystore.seal();
    await service.unseal(custodians);
  });
});
