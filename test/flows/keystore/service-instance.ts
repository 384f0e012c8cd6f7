/** A service keystore on real files and a real database, with five custodians of whom three open it. */
import { join } from 'node:path';
import { createSoftwareEngine } from '../../../src/crypto/software-engine.ts';
import type { CryptoEngine } from '../../../src/crypto/engine.ts';
import type { SystemCaller } from '../../../src/domain/caller.ts';
import { createRowMac } from '../../../src/flows/audit/events/row-mac.ts';
import { beginUnseal } from '../../../src/flows/keystore/begin-unseal.ts';
import { createKeystore, type CreatedKeystore } from '../../../src/flows/keystore/create-keystore.ts';
import { ServiceKeystore, type SealStatus } from '../../../src/flows/keystore/service-keystore.ts';
import { submitShare } from '../../../src/flows/keystore/submit-share.ts';
import type { KeystoreFiles } from '../../../src/flows/ports/keystore.ts';
import { openFileKeystore } from '../../../src/keystore/file-keystore.ts';
import { openDatabase, type KmcDatabase } from '../../../src/store/database.ts';
import { delivery, type Custodian } from './custodians.ts';

export const SYSTEM: SystemCaller = { type: 'system', id: 'kmc' };
export const SOURCE = { node: 'node-1' };
export const THRESHOLD = 3;

/** A clock that stands until a test moves it. */
export class StandingClock {
  #now = new Date('2026-12-01T08:00:00.000Z');

  now(): Date {
    return this.#now;
  }

  advance(seconds: number): void {
    this.#now = new Date(this.#now.getTime() + seconds * 1000);
  }
}

/** One process of the service: its engine, files, database and keystore object. */
export class ServiceInstance {
  readonly engine: CryptoEngine;
  readonly clock = new StandingClock();
  readonly root: string;
  readonly files: KeystoreFiles;
  readonly database: KmcDatabase;
  readonly keystore: ServiceKeystore;
  #isStopped = false;

  private constructor(engine: CryptoEngine, root: string, database: KmcDatabase) {
    this.engine = engine;
    this.root = root;
    this.database = database;
    this.files = openFileKeystore(root, 'service');
    this.keystore = new ServiceKeystore({ engine, database, files: this.files });
  }

  /** @param url of the database. */
  static async start(folder: string, url: string, engine = createSoftwareEngine()): Promise<ServiceInstance> {
    let instance: ServiceInstance | undefined;
    const rowMac = createRowMac(engine, {
      current: () => instance?.keystore.auditMacKeys.current(),
      version: (version) => instance?.keystore.auditMacKeys.version(version),
    });
    const audit = { origin: 'kmc.test/audit', rowMac, verified: { newest: () => undefined } };
    const database = await openDatabase({ url, audit, connections: 4 });
    try {
      instance = new ServiceInstance(engine, join(folder, 'service'), database);
      return instance;
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  create(custodians: readonly Custodian[], threshold = THRESHOLD): Promise<CreatedKeystore> {
    const holders = custodians.map((custodian) => custodian.holder);
    const input = { instance: 'kmc-test', threshold, holders, deliver: delivery(custodians), source: SOURCE };
    return createKeystore(this, input, SYSTEM);
  }

  begin(): Promise<SealStatus> {
    return beginUnseal(this, SYSTEM);
  }

  /** The custodian gives a share; its own unless told otherwise. */
  async submit(custodian: Custodian, share = custodian.share): Promise<SealStatus> {
    const session = this.keystore.session(this.clock.now());
    if (session === undefined) throw new Error('no session is running');
    return this.submitCiphertext(custodian, await custodian.transfer(session.spki, share));
  }

  submitCiphertext(custodian: Custodian, share: Buffer): Promise<SealStatus> {
    const nonce = this.keystore.session(this.clock.now())?.nonce ?? 'none';
    return submitShare(this, { nonce, share, source: SOURCE }, custodian.caller);
  }

  async unseal(custodians: readonly Custodian[]): Promise<SealStatus> {
    let status = await this.begin();
    for (const custodian of custodians) status = await this.submit(custodian);
    return status;
  }

  /** May be called again. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.keystore.seal();
    this.files.close();
    await this.database.close();
  }
}
