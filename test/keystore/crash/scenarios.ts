/**
 * What the crash enumerator cuts: each scenario is one change of a keystore, run in a process of its own. The directory
 * it works in holds the keystore, the database, the holders' key and the shares that were handed out.
 */
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import type { KeyHandle } from '../../../src/crypto/engine.ts';
import { createSoftwareEngine } from '../../../src/crypto/software-engine.ts';
import type { PersonCaller, SystemCaller } from '../../../src/domain/caller.ts';
import { createRowMac } from '../../../src/flows/audit/events/row-mac.ts';
import { beginUnseal } from '../../../src/flows/keystore/begin-unseal.ts';
import type { CeremonyKeystore } from '../../../src/flows/keystore/ceremony-keystore.ts';
import { createKeystore } from '../../../src/flows/keystore/create-keystore.ts';
import type { HandOut } from '../../../src/flows/keystore/hand-out-shares.ts';
import { openCeremonyKeystore, type OpenCeremonyInput } from '../../../src/flows/keystore/open-ceremony-keystore.ts';
import { reshareKeystore } from '../../../src/flows/keystore/reshare-keystore.ts';
import { ServiceKeystore } from '../../../src/flows/keystore/service-keystore.ts';
import { submitShare } from '../../../src/flows/keystore/submit-share.ts';
import { transferShare } from '../../../src/flows/keystore/transfer-share.ts';
import type { KeystoreFiles } from '../../../src/flows/ports/keystore.ts';
import { createDurableFile } from '../../../src/keystore/durable-file.ts';
import { openFileKeystore } from '../../../src/keystore/file-keystore.ts';
import type { KmcDatabase } from '../../../src/store/database.ts';

/** What a process ends with that must not write any more. */
export const FATAL_EXIT = 70;

const SYSTEM: SystemCaller = { type: 'system', id: 'kmc' };
const SOURCE = { node: 'node-1' };
const PASSPHRASE = Buffer.from('only for tests');
/** Two holders; both use one key, which makes the processes start faster. */
const PEOPLE = ['p-1', 'p-2'] as const;
const ROOT_KEY = { change: 'cer-1-s2', keyId: 'root-1', algorithm: 'SM2' } as const;

const certificateSm3 = (person: string): Buffer => sm3(Buffer.from(person));

/** One process at work on a directory. */
export class CrashSite {
  readonly directory: string;
  readonly engine = createSoftwareEngine();
  readonly clock = { now: () => new Date() };

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Makes the key of the holders. */
  async prepare(): Promise<void> {
    const key = await this.engine.generateKeyPair('SM2');
    createDurableFile(join(this.directory, 'holder.p8'), await this.engine.exportPkcs8(key, PASSPHRASE, 'gmssl'));
    createDurableFile(join(this.directory, 'holder.spki'), key.spki);
    mkdirSync(join(this.directory, 'shares'));
  }

  handOut(): HandOut {
    const spki = readFileSync(join(this.directory, 'holder.spki'));
    return {
      threshold: 2,
      holders: PEOPLE.map((person) => ({ person, spki, certificate: `sm3:${certificateSm3(person).toString('hex')}` })),
      deliver: (shares) => {
        for (const { setId, person, ciphertext } of shares) {
          createDurableFile(join(this.directory, 'shares', `${setId}.${person}`), ciphertext);
        }
      },
    };
  }

  /** Each holder's share of a set, encrypted to a session. */
  async transfers(setId: string, sessionSpki: Buffer): Promise<{ person: string; share: Buffer }[]> {
    const holder: KeyHandle = await this.engine.importPkcs8(
      readFileSync(join(this.directory, 'holder.p8')),
      PASSPHRASE,
    );
    return Promise.all(
      PEOPLE.map(async (person) => {
        const share = readFileSync(join(this.directory, 'shares', `${setId}.${person}`));
        const transfer = { holder, holderCertificateSm3: certificateSm3(person), share, sessionSpki };
        return { person, share: await transferShare(this.engine, transfer) };
      }),
    );
  }

  async service(): Promise<{ keystore: ServiceKeystore; files: KeystoreFiles; database: KmcDatabase }> {
    let keystore: ServiceKeystore | undefined;
    const rowMac = createRowMac(this.engine, {
      current: () => keystore?.auditMacKeys.current(),
      version: (version) => keystore?.auditMacKeys.version(version),
    });
    const audit = { origin: 'kmc.test/audit', rowMac, verified: { newest: () => undefined } };
    // Ceremonies have no database: their processes start without it.
    const { openDatabase } = await import('../../../src/store/database.ts');
    const database = await openDatabase({ url: `sqlite:${join(this.directory, 'kmc.sqlite')}`, audit });
    const files = openFileKeystore(join(this.directory, 'service'), 'service');
    keystore = new ServiceKeystore({ engine: this.engine, database, files });
    return { keystore, files, database };
  }

  async unseal(keystore: ServiceKeystore): Promise<void> {
    const ports = { keystore, clock: this.clock };
    const { session } = await beginUnseal(ports, SYSTEM);
    if (session === undefined) throw new Error('no session');
    for (const { person, share } of await this.transfers(session.setId, session.spki)) {
      const caller: PersonCaller = {
        type: 'person',
        id: person,
        unit: 'centre',
        roles: [{ role: 'custodian' }],
        certificateSm3: `sm3:${certificateSm3(person).toString('hex')}`,
      };
      await submitShare(ports, { nonce: session.nonce, share, source: SOURCE }, caller);
    }
  }

  ceremonyFiles(): KeystoreFiles {
    return openFileKeystore(join(this.directory, 'ceremony'), 'ceremony');
  }

  async openCeremony(
    files: KeystoreFiles,
    input: OpenCeremonyInput,
  ): Promise<{ keystore: CeremonyKeystore; isDone: boolean }> {
    const opening = await openCeremonyKeystore({ engine: this.engine, files, clock: this.clock }, input);
    const { session } = opening;
    for (const { person, share } of await this.transfers(session.seal.set.setId, session.spki)) {
      const keystore = await opening.submit(person, share);
      if (keystore !== undefined) return { keystore, isDone: opening.isPendingChangeDone };
    }
    throw new Error('the shares do not open the keystore');
  }
}

const created = (site: CrashSite, files: KeystoreFiles, database?: KmcDatabase): Promise<unknown> => {
  const ports = { engine: site.engine, clock: site.clock, files, ...(database === undefined ? {} : { database }) };
  return createKeystore(ports, { ...site.handOut(), instance: 'kmc-test', change: 'cer-1-s1', source: SOURCE }, SYSTEM);
};

export interface Scenario {
  /** What stands in the directory before; run without being cut. */
  prepare(site: CrashSite): Promise<void>;
  /** The change that is cut. */
  run(site: CrashSite): Promise<void>;
  /** After a cut, and after none: starts again and goes on until the change is made; every invariant is checked. */
  resume(site: CrashSite): Promise<void>;
}

async function expectAgreement(files: KeystoreFiles, database: KmcDatabase, epoch: number): Promise<void> {
  const found = await database.read(async (reader) => ({
    epoch: await reader.instance.keystoreEpoch(),
    keks: (await reader.keystoreRows.keks()).length,
    changes: (await reader.audit.history('keystore', 'service', 0, 1000)).filter(({ canon }) =>
      /"act":"keystore\.(?:create|epoch)"/.test(canon.toString()),
    ).length,
  }));
  expectEqual('epoch, keys and audit events', found, { epoch, keks: 6, changes: epoch });
  expectEqual('journal', files.journal(), []);
}

function expectEqual(what: string, found: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: found ${a}, expected ${b}`);
}

const createService: Scenario = {
  async prepare(site) {
    await site.prepare();
    const { files, database } = await site.service();
    files.close();
    await database.close();
  },
  async run(site) {
    const { files, database } = await site.service();
    await created(site, files, database);
  },
  async resume(site) {
    const { keystore, files, database } = await site.service();
    try {
      if (keystore.state === 'UNINIT') await created(site, files, database);
      await site.unseal(keystore);
      await expectAgreement(files, database, 1);
      expectEqual('files', files.list().length, 2);
    } finally {
      keystore.seal();
      files.close();
      await database.close();
    }
  },
};

const reshareService: Scenario = {
  async prepare(site) {
    await createService.prepare(site);
    await createService.resume(site);
  },
  async run(site) {
    const { keystore } = await site.service();
    await site.unseal(keystore);
    await reshareKeystore({ keystore, clock: site.clock }, { ...site.handOut(), source: SOURCE }, SYSTEM);
  },
  async resume(site) {
    const { keystore, files, database } = await site.service();
    try {
      await site.unseal(keystore);
      await expectAgreement(files, database, keystore.epoch);
      expectEqual('files', files.list().length, keystore.epoch + 1);
      if (keystore.epoch === 1) {
        await reshareKeystore({ keystore, clock: site.clock }, { ...site.handOut(), source: SOURCE }, SYSTEM);
      }
      await expectAgreement(files, database, 2);
    } finally {
      keystore.seal();
      files.close();
      await database.close();
    }
  },
};

const createCeremony: Scenario = {
  prepare: (site) => site.prepare(),
  async run(site) {
    await created(site, site.ceremonyFiles());
  },
  async resume(site) {
    const files = site.ceremonyFiles();
    try {
      if (files.manifest() === undefined) await created(site, files);
      const { keystore } = await site.openCeremony(files, { lastEpoch: 1 });
      keystore.close();
      expectEqual('journal', files.journal(), []);
      expectEqual('files', files.list().length, 5);
    } finally {
      files.close();
    }
  },
};

const makeRootKey: Scenario = {
  async prepare(site) {
    await site.prepare();
    await createCeremony.resume(site);
  },
  async run(site) {
    const { keystore } = await site.openCeremony(site.ceremonyFiles(), { lastEpoch: 1 });
    await keystore.generateRootKey(ROOT_KEY);
  },
  async resume(site) {
    const files = site.ceremonyFiles();
    try {
      const { keystore, isDone } = await site.openCeremony(files, { lastEpoch: 1, pendingChange: ROOT_KEY.change });
      if (!isDone) await keystore.generateRootKey(ROOT_KEY);
      await keystore.sign(ROOT_KEY.keyId, 'SM2-SM3', Buffer.from('x'));
      expectEqual('keys and epoch', [keystore.rootKeys(), keystore.epoch], [[{ keyId: 'root-1', version: 1 }], 2]);
      keystore.close();
      expectEqual('journal', files.journal(), []);
      expectEqual('root folder', readdirSync(join(site.directory, 'ceremony', 'root')), ['root-1.0001.blob']);
    } finally {
      files.close();
    }
  },
};

/** Wrong on purpose: the manifest is written before the files that it lists. The enumerator must find this. */
function manifestFirst(files: KeystoreFiles): KeystoreFiles {
  const late: (() => void)[] = [];
  return {
    ...files,
    add: (name, bytes) => void late.push(() => files.add(name, bytes)),
    replaceManifest: (bytes) => {
      files.replaceManifest(bytes);
      for (const add of late.splice(0)) add();
    },
  };
}

const wrongOrder: Scenario = {
  ...createCeremony,
  async run(site) {
    await created(site, manifestFirst(site.ceremonyFiles()));
  },
};

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'create-service': createService,
  'reshare-service': reshareService,
  'create-ceremony': createCeremony,
  'make-root-key': makeRootKey,
  'wrong-order': wrongOrder,
};
