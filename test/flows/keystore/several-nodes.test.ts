/** Several processes on one database: with the same files each, or on the same directory. */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { reshareKeystore } from '../../../src/flows/keystore/reshare-keystore.ts';
import { rotateKek } from '../../../src/flows/keystore/rotate-kek.ts';
import { refusal } from '../../crypto/refusal.ts';
import { scratchDirectory } from '../../keystore/scratch.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { delivery, makeCustodians, type Custodian } from './custodians.ts';
import { ServiceInstance, SOURCE, SYSTEM } from './service-instance.ts';

forEachDatabase('several nodes', (fixture) => {
  const scratch = scratchDirectory();
  const nodes: ServiceInstance[] = [];
  let custodians: Custodian[];

  before(async () => {
    custodians = await makeCustodians(2);
  });
  afterEach(async () => {
    for (const node of nodes.splice(0)) await node.stop();
  });

  const folder = (name: string): string => join(scratch(), name);
  const start = async (name: string): Promise<ServiceInstance> => {
    mkdirSync(folder(name), { recursive: true });
    const node = await ServiceInstance.start(folder(name), fixture.url);
    nodes.push(node);
    return node;
  };
  const carryFiles = (from: string, to: string): void => {
    rmSync(folder(to), { recursive: true, force: true });
    cpSync(folder(from), folder(to), { recursive: true, filter: (path) => !path.endsWith('.claim') });
  };
  const reshare = (node: ServiceInstance): Promise<unknown> => {
    const holders = custodians.map((custodian) => custodian.holder);
    return reshareKeystore(node, { threshold: 2, holders, deliver: delivery(custodians), source: SOURCE }, SYSTEM);
  };
  const startTwo = async (): Promise<[ServiceInstance, ServiceInstance]> => {
    const a = await start('a');
    await a.create(custodians, 2);
    carryFiles('a', 'b');
    const b = await start('b');
    for (const node of [a, b]) expect((await node.unseal(custodians)).state).to.equal('UNSEALED');
    return [a, b];
  };

  it("use each other's new keys", async () => {
    const [a, b] = await startTwo();
    await rotateKek(a, { purpose: 'escrow-store', source: SOURCE }, SYSTEM);
    expect(b.keystore.currentKek('escrow-store').version).to.equal(1);
    expect((await b.keystore.kek('escrow-store', 2)).version).to.equal(2);
    expect(b.keystore.currentKek('escrow-store').version).to.equal(2);
  });

  it('a node with old files cannot write, seals, and opens again once it has the new ones', async () => {
    const [a, b] = await startTwo();
    await reshare(a);
    await refusal('E_SEALED', () => rotateKek(b, { purpose: 'backup', source: SOURCE }, SYSTEM));
    expect(b.keystore.state).to.equal('SEALED');
    await b.stop();
    carryFiles('a', 'b');
    const again = await start('b');
    expect((await again.unseal(custodians)).state).to.equal('UNSEALED');
    expect(again.keystore.epoch).to.equal(2);
  });

  it('of two changes at once one wins, and the files of the other are not taken for its own', async () => {
    const [a, b] = await startTwo();
    const sharesOf = new Map<ServiceInstance, Buffer[]>();
    // The second change passes its first check before the first one is made.
    const reload = b.keystore.reload.bind(b.keystore);
    b.keystore.reload = async () => {
      await reload();
      await reshare(a);
      sharesOf.set(
        a,
        custodians.map((custodian) => custodian.share),
      );
    };
    await refusal('E_CONFLICT', () => reshare(b));
    expect(b.keystore.state).to.equal('SEALED');
    b.keystore.reload = reload;
    await b.stop();
    const again = await start('b');
    const error = await refusal('E_ROLLBACK', () => again.unseal(custodians));
    expect(error.message).to.include('another change');
    for (const [at, custodian] of custodians.entries()) custodian.share = sharesOf.get(a)![at]!;
    a.keystore.seal();
    expect((await a.unseal(custodians)).state).to.equal('UNSEALED');
  });

  it('two processes on one directory take turns', async () => {
    const a = await start('a');
    const b = await start('a');
    const results = await Promise.allSettled([a.create(custodians, 2), b.create(custodians, 2)]);
    expect(results.map((result) => result.status).sort()).to.deep.equal(['fulfilled', 'rejected']);
    expect(b.keystore.state).to.equal('SEALED');
    await Promise.all([a.unseal(custodians), b.unseal(custodians)]);
    await reshare(a);
    await refusal('E_SEALED', () => b.keystore.reload());
    await b.unseal(custodians);
    expect([a.keystore.epoch, b.keystore.epoch]).to.deep.equal([2, 2]);
  });
});
