/** The ceremony keystore while a ceremony has it open: the only way to a root key. */
import type { KeyAlgorithmName, SignatureAlgorithmName } from '../../crypto/algorithm-names.ts';
import type { CryptoEngine, KeyEncryptionKey, KeyHandle } from '../../crypto/engine.ts';
import type { JsonObject } from '../../crypto/jcs.ts';
import { kekVersionOf } from '../../crypto/seal.ts';
import { rootKeyContext } from '../../domain/keystore/blob-context.ts';
import { parseRootKeyFileName, rootKeyFileName, tombstoneFileName } from '../../domain/keystore/keystore-kind.ts';
import { fileEntry, type CheckValue, type FileEntry } from '../../domain/keystore/manifest.ts';
import { encodeRecord } from '../../domain/keystore/record-fields.ts';
import type { SealFile } from '../../domain/keystore/seal-file.ts';
import { KmcError } from '../../errors.ts';
import type { KeystoreFiles } from '../ports/keystore.ts';
import { commitChange, type KeystoreChange } from './commit-change.ts';
import type { HandOut } from './hand-out-shares.ts';
import type { InspectedKeystore } from './inspect-keystore.ts';
import type { KeyRing } from './key-ring.ts';
import { planCeremonyReshare } from './plan-ceremony-reshare.ts';

export interface CeremonyKeystorePorts {
  readonly engine: CryptoEngine;
  /** Of kind `ceremony`. */
  readonly files: KeystoreFiles;
}

export interface NewRootKey {
  /** Id of the change: of the ceremony and its step, so that a resumed ceremony knows what it has done. */
  readonly change: string;
  readonly keyId: string;
  readonly algorithm: KeyAlgorithmName;
  /** RSA only. */
  readonly bits?: number;
}

export interface StoredRootKey {
  readonly keyId: string;
  /** Rises with each sealing of the key. */
  readonly version: number;
}

export class CeremonyKeystore {
  readonly #ports: CeremonyKeystorePorts;
  readonly #instance: string;
  readonly #keys = new Map<string, KeyHandle>();
  #ring: KeyRing | undefined;
  #seal: SealFile;
  #epoch: number;
  #checkValues: readonly CheckValue[];

  /** Made by openCeremonyKeystore. */
  constructor(ports: CeremonyKeystorePorts, { manifest, seal }: InspectedKeystore, ring: KeyRing) {
    this.#ports = ports;
    this.#instance = manifest.body.instance;
    this.#ring = ring;
    this.#seal = seal;
    this.#epoch = manifest.body.epoch;
    this.#checkValues = manifest.body.checkValues;
  }

  /** For the step journal and the closed bundle of the ceremony. */
  get epoch(): number {
    return this.#epoch;
  }

  get setId(): string {
    return this.#seal.set.setId;
  }

  /**
   * The next change makes an epoch above this one: after a restore, copies of what was lost must not pass for the keystore.
   */
  continueFrom(epoch: number): void {
    this.#epoch = Math.max(this.#epoch, epoch);
  }

  /** Check values of the master key and the key-encryption keys, to be read out. */
  get checkValues(): readonly CheckValue[] {
    return this.#checkValues;
  }

  /** The root keys that are stored, by id. */
  rootKeys(): StoredRootKey[] {
    return this.#ports.files.list().flatMap(({ path }) => parseRootKeyFileName(path) ?? []);
  }

  /**
   * Makes a root key and stores it.
   * @throws KmcError E_EXISTS (key id in use, or destroyed earlier), E_ID, E_SEALED, E_STORAGE.
   */
  async generateRootKey({ change, keyId, algorithm, bits }: NewRootKey): Promise<KeyHandle> {
    this.#checkNew(keyId);
    const key = await this.#ports.engine.generateKeyPair(algorithm, bits);
    await this.importRootKey(change, keyId, key);
    return key;
  }

  /**
   * Stores a root key that is in the engine already (a legacy root). The keystore owns the handle from now on.
   * @throws KmcError as generateRootKey.
   */
  async importRootKey(change: string, keyId: string, key: KeyHandle): Promise<void> {
    const ring = this.#openRing();
    this.#checkNew(keyId);
    this.#keys.set(keyId, key);
    const blob = await this.#ports.engine.sealKey(ring.currentKek('root-keys'), rootKeyContext(keyId, 1), key);
    await this.#commit(ring, { id: change, adds: [{ name: rootKeyFileName(keyId, 1), bytes: blob }] });
  }

  /**
   * A root key, opened at its first use; it lives until `close`.
   * @throws KmcError E_NOT_FOUND, E_SEALED, E_BLOB_AUTH.
   */
  async rootKey(keyId: string): Promise<KeyHandle> {
    const ring = this.#openRing();
    const open = this.#keys.get(keyId);
    if (open !== undefined) return open;
    const key = await this.#openRootKey(ring, this.#stored(keyId));
    this.#keys.set(keyId, key);
    return key;
  }

  /**
   * Signs with a root key; the signature has its X.509 form.
   * @throws KmcError as rootKey; E_USAGE when the key is not of that algorithm.
   */
  async sign(keyId: string, algorithm: SignatureAlgorithmName, message: Buffer): Promise<Buffer> {
    return this.#ports.engine.sign(await this.rootKey(keyId), algorithm, message);
  }

  /** The key-encryption key that seals backups of this keystore. @throws KmcError E_SEALED. */
  backupKek(): KeyEncryptionKey {
    return this.#openRing().currentKek('backup');
  }

  /**
   * Removes a root key and puts the evidence of its destruction in its place; its id can never be used again.
   * @param evidence public facts of section 3.4, without numbers.
   * @returns name, size and digest of the evidence file.
   * @throws KmcError E_NOT_FOUND, E_SEALED, E_STORAGE.
   */
  async destroyRootKey(change: string, keyId: string, evidence: JsonObject): Promise<FileEntry> {
    const ring = this.#openRing();
    const { version } = this.#stored(keyId);
    const name = tombstoneFileName(keyId);
    const bytes = encodeRecord(evidence);
    await this.#commit(ring, { id: change, adds: [{ name, bytes }], removes: [rootKeyFileName(keyId, version)] });
    const open = this.#keys.get(keyId);
    if (open !== undefined) this.#ports.engine.destroyKey(open);
    this.#keys.delete(keyId);
    return fileEntry(name, bytes);
  }

  /**
   * Gives the keystore a new share set and new keys at every level; root keys are sealed anew under them. What the old
   * shares open is no longer in the files (security-and-faults 2.5).
   * @returns id of the new set.
   * @throws KmcError E_SAME_PERSON, E_USAGE (threshold), E_SEALED, E_STORAGE.
   */
  async reshare(change: string, handOut: HandOut): Promise<string> {
    const ring = this.#openRing();
    const keys = [];
    for (const stored of this.rootKeys()) keys.push({ ...stored, key: await this.rootKey(stored.keyId) });
    const before = { ring, seal: this.#seal, checkValues: this.#checkValues, keys };
    const { next, plan } = await planCeremonyReshare(this.#ports, before, handOut);
    try {
      await this.#commit(next, { id: change, ...plan });
    } catch (error) {
      next.wipe();
      throw error;
    }
    ring.wipe();
    this.#ring = next;
    return plan.seal.set.setId;
  }

  /** Wipes every key. May be called again; everything else refuses afterwards. */
  close(): void {
    for (const key of this.#keys.values()) this.#ports.engine.destroyKey(key);
    this.#keys.clear();
    this.#ring?.wipe();
    this.#ring = undefined;
  }

  #openRing(): KeyRing {
    if (this.#ring === undefined) throw new KmcError('E_SEALED', 'The ceremony keystore is closed.');
    return this.#ring;
  }

  /** After a failure the state of the files is open: the keystore closes, and opening it again tells. */
  async #commit(
    ring: KeyRing,
    change: Pick<KeystoreChange, 'id' | 'adds'> & Partial<Pick<KeystoreChange, 'removes' | 'seal' | 'checkValues'>>,
  ): Promise<void> {
    const complete = {
      instance: this.#instance,
      fromEpoch: this.#epoch,
      removes: [],
      seal: this.#seal,
      checkValues: this.#checkValues,
      ...change,
    };
    try {
      await commitChange({ files: this.#ports.files }, ring, complete);
    } catch (error) {
      this.close();
      throw error;
    }
    this.#epoch += 1;
    this.#seal = complete.seal;
    this.#checkValues = complete.checkValues;
  }

  #checkNew(keyId: string): void {
    const tombstone = tombstoneFileName(keyId);
    const isUsed = this.rootKeys().some((key) => key.keyId === keyId);
    if (isUsed || this.#ports.files.list().some(({ path }) => path === tombstone)) {
      throw new KmcError('E_EXISTS', 'A root key of that id is there already, or was destroyed; choose another id.');
    }
  }

  #stored(keyId: string): StoredRootKey {
    const stored = this.rootKeys().find((key) => key.keyId === keyId);
    if (stored === undefined) throw new KmcError('E_NOT_FOUND', 'There is no root key of that id.');
    return stored;
  }

  async #openRootKey(ring: KeyRing, { keyId, version }: StoredRootKey): Promise<KeyHandle> {
    const blob = this.#ports.files.read(rootKeyFileName(keyId, version));
    const kek = ring.kek('root-keys', kekVersionOf(blob));
    if (kek === undefined)
      throw new KmcError('E_INTEGRITY', 'The key that seals this root key is not in the keystore.');
    return this.#ports.engine.openKey(kek, rootKeyContext(keyId, version), blob);
  }
}
