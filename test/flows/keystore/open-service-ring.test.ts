/** Files, database and audit log against each other: what opens, what is completed, what is refused. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { reshareKeystore } from '../../../src/flows/keystore/reshare-keystore.ts';
import { refusal } from '../../crypto/refusal.ts';
import { scratchDirectory } from '../../keystore/scratch.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { refuseSecondEpoch } from './database-faults.ts';
import { delivery, makeCustodians, type Custodian } from './custodians.ts';
import { ServiceInstance, SOURCE, SYSTEM } from './service-instance.ts';

forEachDatabase('unsealing after a fault', (fixture) => {
  const scratch = scratchDirectory();
  let service: ServiceInstance;
  let custodians: Custodian[];

  before(async () => {
    custodians = (await makeCustodians(3)).slice(0, 3);
  });
  beforeEach(async () => {
    service = await ServiceInstance.start(scratch(), fixture.url);
    await service.create(custodians, 2);
  });
  afterEach(() => service.stop());

  const restart = async (): Promise<void> => {
    await service.stop();
    service = await ServiceInstance.start(scratch(), fixture.url);
  };
  const saved = (): string => join(scratch(), 'saved');
  const save = (): void =>
    cpSync(service.root, saved(), { recursive: true, filter: (path) => !path.endsWith('.claim') });
  const restore = (): void => {
    rmSync(service.root, { recursive: true });
    cpSync(saved(), service.root, { recursive: true });
  };
  const unseal = (): Promise<unknown> => service.unseal(custodians.slice(0, 2));
  const reshare = async (): Promise<void> => {
    const holders = custodians.map((custodian) => custodian.holder);
    const input = { threshold: 2, holders, deliver: delivery(custodians), source: SOURCE };
    await unseal();
    await reshareKeystore(service, input, SYSTEM);
  };

  it('a change that was never cut leaves nothing to do', async () => {
    await reshare();
    await restart();
    await unseal();
    expect([service.keystore.state, service.keystore.epoch]).to.deep.equal(['UNSEALED', 2]);
  });

  it('files of before a change are an old copy', async () => {
    save();
    const oldShares = custodians.map((custodian) => custodian.share);
    await reshare();
    await service.stop();
    restore();
    for (const [position, custodian] of custodians.entries()) custodian.share = oldShares[position]!;
    service = await ServiceInstance.start(scratch(), fixture.url);
    const error = await refusal('E_ROLLBACK', unseal);
    expect(error.message).to.include('old copy');
    expect(service.keystore.state).to.equal('ERROR');
    await refusal('E_STATE', () => service.begin());
  });

  it('a database of before a change went back', async () => {
    await reshare();
    await restart();
    await fixture.sql('update keystore_epoch set epoch = 1');
    await refusal('E_ROLLBACK', unseal);
    expect(service.keystore.state).to.equal('ERROR');
  });

  it('a database that was raised without its audit event is refused', async () => {
    await fixture.sql('update keystore_epoch set epoch = 2');
    await refusal('E_ROLLBACK', unseal);
  });

  it('a change whose database step failed is completed once, with its own shares', async () => {
    const repair = await refuseSecondEpoch(fixture);
    await reshare().then(
      () => expect.fail('the change went through'),
      () => undefined,
    );
    expect(service.keystore.state).to.equal('SEALED');
    expect(service.files.journal()).to.have.length(1);
    await repair();
    await restart();
    await unseal();
    expect(service.keystore.epoch).to.equal(2);
    expect(service.files.journal()).to.deep.equal([]);
    expect(await service.database.read((reader) => reader.instance.keystoreEpoch())).to.equal(2);
    expect(service.files.list().map((file) => file.path)).to.have.length(3);
    await restart();
    await unseal();
    expect(service.keystore.currentKek('db-field').version).to.equal(1);
  });

  it('a journal record that was tampered with is not carried out', async () => {
    await refuseSecondEpoch(fixture);
    await reshare().then(
      () => expect.fail('the change went through'),
      () => undefined,
    );
    const path = join(service.root, 'journal', '00000002.rec');
    const record = readFileSync(path, 'utf8');
    writeFileSync(path, record.replace('"node":"node-1"', '"node":"node-2"'));
    await restart();
    const error = await refusal('E_INTEGRITY', unseal);
    expect(error.message).to.include('journal record');
    expect(await service.database.read((reader) => reader.instance.keystoreEpoch())).to.equal(1);
  });

  it('a manifest that is not the one of the last change is refused, though it is whole', async () => {
    await service.stop();
    const path = join(service.root, 'manifest.json');
    const manifest = readFileSync(path, 'utf8');
    writeFileSync(path, manifest.replace(/"mac":"[0-9a-f]{4}/, '"mac":"0000'));
    service = await ServiceInstance.start(scratch(), fixture.url);
    const error = await refusal('E_ROLLBACK', unseal);
    expect(error.message).to.include('another change');
    expect(service.keystore.state).to.equal('ERROR');
  });

  it('swapped rows of key-encryption keys are refused, naming the key', async () => {
    await fixture.sql(
      "update sealed_kek set blob = (select blob from sealed_kek where purpose = 'backup') where purpose = 'ca-keys'",
    );
    const error = await refusal('E_INTEGRITY', unseal);
    expect(error.message).to.include('ca-keys-1');
  });

  it('a row whose check value was altered is refused', async () => {
    await fixture.sql(
      "update sealed_kek set key_check_value = (select key_check_value from sealed_kek where purpose = 'backup') where purpose = 'ca-keys'",
    );
    await refusal('E_INTEGRITY', unseal);
  });

  for (const name of ['seal', 'FORMAT', 'manifest']) {
    it(`an altered ${name} is named before anybody gives a share`, async () => {
      const path =
        service.files
          .list()
          .map((file) => file.path)
          .find((file) => file.startsWith(name)) ?? 'manifest.json';
      const bytes = readFileSync(join(service.root, path));
      bytes[20]! ^= 1;
      writeFileSync(join(service.root, path), bytes);
      const error = await refusal('E_INTEGRITY', () => service.begin());
      expect(error.message).to.include(name);
      expect(service.keystore.state).to.equal('ERROR');
    });
  }

  it('a missing file and a foreign file are named', async () => {
    const seal = service.files
      .list()
      .map((file) => file.path)
      .find((file) => file.startsWith('seal'))!;
    writeFileSync(join(service.root, 'master', 'mk-0001.blob'), 'x', { mode: 0o600 });
    await refusal('E_INTEGRITY', () => service.begin()).then((error) =>
      expect(error.message).to.include('mk-0001.blob'),
    );
    await service.stop();
    rmSync(join(service.root, 'master', 'mk-0001.blob'));
    rmSync(join(service.root, seal));
    service = await ServiceInstance.start(scratch(), fixture.url);
    await refusal('E_INTEGRITY', () => service.begin()).then((error) => expect(error.message).to.include(seal));
  });
});
