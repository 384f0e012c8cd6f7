/** The open keys of one keystore: its master key and, under it, the key-encryption keys. All are handles of an engine. */
import type { CryptoEngine, KekPurpose, KeyEncryptionKey, SecretHandle } from '../../crypto/engine.ts';
import { kekVersionOf } from '../../crypto/seal.ts';
import * as context from '../../domain/keystore/blob-context.ts';
import { masterFileName } from '../../domain/keystore/keystore-kind.ts';
import type { CheckValue } from '../../domain/keystore/manifest.ts';
import type { SealFile } from '../../domain/keystore/seal-file.ts';
import { KmcError } from '../../errors.ts';
import type { KeystoreFileReader } from '../ports/keystore.ts';

const KEY_BYTES = 32;

/** A key-encryption key as it is stored. */
export interface SealedKek {
  readonly purpose: KekPurpose;
  readonly version: number;
  /** Rises with each sealing of the same key. */
  readonly objectVersion: number;
  /** Blob suite 1 under a master key. */
  readonly blob: Buffer;
  /** 8 octets. */
  readonly keyCheckValue: Buffer;
}

export class KeyRing {
  readonly #engine: CryptoEngine;
  readonly #master: KeyEncryptionKey;
  /** Earlier master keys, for what is still sealed under them. */
  readonly #earlier = new Map<number, KeyEncryptionKey>();
  readonly #keks = new Map<string, KeyEncryptionKey>();
  /** When the rows say that they were made: their crypto-period begins there. */
  readonly #createdAt = new Map<string, Date>();

  private constructor(engine: CryptoEngine, master: KeyEncryptionKey) {
    this.#engine = engine;
    this.#master = master;
  }

  /** A ring with a new master key. */
  static async generate(engine: CryptoEngine, masterVersion: number): Promise<KeyRing> {
    return new KeyRing(engine, context.masterKeyAsKek(await engine.generateSecret(KEY_BYTES), masterVersion));
  }

  /**
   * A ring with the master key of a seal file.
   * @param unsealKey what the shares make; the caller destroys it.
   * @throws KmcError E_INTEGRITY when the wrapped master key does not open.
   */
  static async open(engine: CryptoEngine, seal: SealFile, unsealKey: SecretHandle): Promise<KeyRing> {
    const { set, masterVersion, wrappedMaster } = seal;
    const master = await openOrRefuse('The master key', () =>
      engine.openSecret(
        context.unsealKeyAsKek(unsealKey, masterVersion),
        context.wrappedMasterContext(set.setId, masterVersion),
        wrappedMaster,
      ),
    );
    return new KeyRing(engine, context.masterKeyAsKek(master, masterVersion));
  }

  /**
   * A ring with a new master key and the same key-encryption keys. Both rings hold them: of the one that is given up
   * only the master key is wiped, by `wipeMaster`.
   */
  async successor(): Promise<KeyRing> {
    const next = await KeyRing.generate(this.#engine, this.masterVersion + 1);
    for (const [name, kek] of this.#keks) next.#keks.set(name, kek);
    for (const [name, at] of this.#createdAt) next.#createdAt.set(name, at);
    return next;
  }

  get masterVersion(): number {
    return this.#master.version;
  }

  /** Wraps the master key for the seal file of a share set. */
  wrapMaster(setId: string, unsealKey: SecretHandle): Promise<Buffer> {
    const { version, secret } = this.#master;
    const wrap = context.unsealKeyAsKek(unsealKey, version);
    return this.#engine.sealSecret(wrap, context.wrappedMasterContext(setId, version), secret);
  }

  /** Seals the master key of the ring that this one follows, for the file `master/`. */
  sealEarlierMaster(earlier: KeyRing): Promise<Buffer> {
    const { version, secret } = earlier.#master;
    return this.#engine.sealSecret(this.#master, context.earlierMasterContext(version), secret);
  }

  /** Makes a new key-encryption key and returns it sealed. It comes on the ring by `openKek`, once it is stored. */
  async generateKek(purpose: KekPurpose, version: number): Promise<SealedKek> {
    const secret = await this.#engine.generateSecret(KEY_BYTES);
    try {
      return await this.sealKek({ purpose, version, secret }, 1);
    } finally {
      this.#engine.destroySecret(secret);
    }
  }

  /** Seals a key-encryption key under the master key. */
  async sealKek({ purpose, version, secret }: KeyEncryptionKey, objectVersion: number): Promise<SealedKek> {
    const keyCheckValue = await this.#engine.keyCheckValue(secret, context.kekName(purpose, version));
    const blobContext = context.kekContext(purpose, version, objectVersion);
    const blob = await this.#engine.sealSecret(this.#master, blobContext, secret);
    return { purpose, version, objectVersion, blob, keyCheckValue };
  }

  /**
   * Opens a key-encryption key and puts it on the ring.
   * @param files where earlier master keys stand.
   * @param createdAt of its row, for its crypto-period.
   * @throws KmcError E_INTEGRITY naming the key when it does not open or is another than its check value says.
   */
  async openKek(sealed: SealedKek, files: KeystoreFileReader, createdAt?: Date): Promise<void> {
    const { purpose, version } = sealed;
    const name = context.kekName(purpose, version);
    if (this.#keks.has(name)) return;
    const secret = await openOrRefuse(`The key-encryption key ${name}`, async () => {
      const master = await this.#masterOf(kekVersionOf(sealed.blob), files);
      return this.#engine.openSecret(master, context.kekContext(purpose, version, sealed.objectVersion), sealed.blob);
    });
    if (!(await this.#engine.keyCheckValue(secret, name)).equals(sealed.keyCheckValue)) {
      this.#engine.destroySecret(secret);
      throw notAsStated(`The key-encryption key ${name}`);
    }
    this.#keks.set(name, { purpose, version, secret });
    if (createdAt !== undefined) this.#createdAt.set(name, createdAt);
  }

  /** When the key was made, where its row says so. */
  kekCreatedAt({ purpose, version }: Pick<KeyEncryptionKey, 'purpose' | 'version'>): Date | undefined {
    return this.#createdAt.get(context.kekName(purpose, version));
  }

  /** Forgets a key-encryption key that was destroyed, and wipes its bytes. */
  forgetKek(purpose: KekPurpose, version: number): void {
    const name = context.kekName(purpose, version);
    const kek = this.#keks.get(name);
    if (kek !== undefined) this.#engine.destroySecret(kek.secret);
    this.#keks.delete(name);
  }

  /** Nothing when the ring does not hold it. */
  kek(purpose: KekPurpose, version: number): KeyEncryptionKey | undefined {
    return this.#keks.get(context.kekName(purpose, version));
  }

  /** The newest version of a purpose. @throws KmcError E_INTEGRITY when the keystore has none. */
  currentKek(purpose: KekPurpose): KeyEncryptionKey {
    const versions = this.keks().filter((kek) => kek.purpose === purpose);
    const newest = versions.reduce<KeyEncryptionKey | undefined>(
      (best, kek) => (best === undefined || kek.version > best.version ? kek : best),
      undefined,
    );
    if (newest === undefined) throw new KmcError('E_INTEGRITY', `The keystore holds no key-encryption key ${purpose}.`);
    return newest;
  }

  keks(): readonly KeyEncryptionKey[] {
    return [...this.#keks.values()];
  }

  /** The check value of the master key, for the manifest. @throws KmcError as the engine. */
  async masterCheckValue(): Promise<CheckValue> {
    const key = `master-${this.#master.version}`;
    return { key, value: (await this.#engine.keyCheckValue(this.#master.secret, key)).toString('hex') };
  }

  /** HMAC-SM3 under the current audit-mac key. */
  mac(message: Buffer): Promise<Buffer> {
    return this.#engine.mac(this.currentKek('audit-mac').secret, message);
  }

  /**
   * Checks an HMAC-SM3 under an audit-mac key of the ring.
   * @param what named in the error text.
   * @throws KmcError E_INTEGRITY when it does not hold.
   */
  async verifyMac(what: string, version: number, message: Buffer, mac: Buffer): Promise<void> {
    const kek = this.kek('audit-mac', version);
    if (kek === undefined || !(await this.#engine.verifyMac(kek.secret, message, mac))) throw notAsStated(what);
  }

  /** Forgets every key and wipes its bytes. */
  wipe(): void {
    this.wipeMaster();
    for (const { secret } of this.#keks.values()) this.#engine.destroySecret(secret);
    this.#keks.clear();
  }

  /** Forgets the master keys and wipes their bytes. */
  wipeMaster(): void {
    for (const { secret } of [this.#master, ...this.#earlier.values()]) this.#engine.destroySecret(secret);
    this.#earlier.clear();
  }

  /** Each earlier master key is sealed under the one that followed it: the way goes down step by step. */
  async #masterOf(version: number, files: KeystoreFileReader): Promise<KeyEncryptionKey> {
    if (version >= this.#master.version) return this.#master;
    const known = this.#earlier.get(version);
    if (known !== undefined) return known;
    const next = await this.#masterOf(version + 1, files);
    const blob = files.read(masterFileName(version));
    const secret = await this.#engine.openSecret(next, context.earlierMasterContext(version), blob);
    const master = context.masterKeyAsKek(secret, version);
    this.#earlier.set(version, master);
    return master;
  }
}

/** The check value of a key-encryption key, as manifests and ceremonies show it. */
export function kekCheckValue({ purpose, version, keyCheckValue }: SealedKek): CheckValue {
  return { key: context.kekName(purpose, version), value: keyCheckValue.toString('hex') };
}

async function openOrRefuse(what: string, open: () => Promise<SecretHandle>): Promise<SecretHandle> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof KmcError && (error.code === 'E_BLOB_AUTH' || error.code === 'E_SUITE'))
      throw notAsStated(what);
    throw error;
  }
}

function notAsStated(what: string): KmcError {
  return new KmcError('E_INTEGRITY', `${what} is not what the keystore states. Restore the keystore from the backup.`);
}
