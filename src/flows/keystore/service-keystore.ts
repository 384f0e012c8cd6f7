/**
 * The service keystore of this process: sealed at start, its keys in the engine while it is unsealed, gone when it is
 * sealed again. Every use of a key goes through it, so that sealed means that every use is refused (I12).
 */
import type { CryptoEngine, KekPurpose, KeyEncryptionKey, KeyHandle } from '../../crypto/engine.ts';
import { caKeyContext } from '../../domain/keystore/blob-context.ts';
import { nextSealState, type SealEvent, type SealState } from '../../domain/keystore/seal-state.ts';
import { KmcError, type ErrorCode } from '../../errors.ts';
import type { AuditMacKeys } from '../audit/events/row-mac.ts';
import type { Database } from '../ports/database.ts';
import type { KeystoreFiles } from '../ports/keystore.ts';
import type { Resealing } from '../ports/keystore-rows.ts';
import type { KeyRing } from './key-ring.ts';
import { openKekRows } from './open-kek-rows.ts';
import { ShareBackOff } from './share-back-off.ts';
import type { ShareSession } from './share-session.ts';

export interface ServiceKeystorePorts {
  readonly engine: CryptoEngine;
  readonly database: Database;
  /** Of kind `service`. */
  readonly files: KeystoreFiles;
}

/** What may be told to anybody. */
export interface SealStatus {
  readonly state: SealState;
  /** While shares are being collected. */
  readonly session?: {
    readonly nonce: string;
    readonly expiresAt: Date;
    /** SubjectPublicKeyInfo (DER) that shares are to be encrypted to. */
    readonly spki: Buffer;
    readonly setId: string;
    readonly threshold: number;
    readonly count: number;
    /** Ids of the people whose shares are in. */
    readonly received: readonly string[];
  };
}

/** After these only an operator can go on. */
const CONTRADICTIONS: readonly ErrorCode[] = ['E_INTEGRITY', 'E_ROLLBACK'];

export class ServiceKeystore {
  readonly ports: ServiceKeystorePorts;
  /** Waiting times after wrong shares; they outlive a session. */
  readonly backOff = new ShareBackOff();
  /** The keys of the row MAC of the audit log; there are none while the keystore is sealed. */
  readonly auditMacKeys: AuditMacKeys = {
    current: () => this.#ring?.currentKek('audit-mac'),
    version: (version) => this.#ring?.kek('audit-mac', version),
  };

  #state: SealState;
  #ring: KeyRing | undefined;
  #epoch = 0;
  #session: ShareSession | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #caKeys = new Map<string, Promise<KeyHandle>>();

  /** Starts sealed. */
  constructor(ports: ServiceKeystorePorts) {
    this.ports = ports;
    this.#state = ports.files.manifest() === undefined ? 'UNINIT' : 'SEALED';
  }

  /** The state; a keystore that was made in the meantime is sealed. */
  get state(): SealState {
    if (this.#state === 'UNINIT' && this.ports.files.manifest() !== undefined) this.#enter('created');
    return this.#state;
  }

  status(now: Date): SealStatus {
    const session = this.session(now);
    if (session === undefined) return { state: this.state };
    const { nonce, expiresAt, spki, seal, received } = session;
    const { setId, threshold, count } = seal.set;
    const people = received.map((holder) => holder.person);
    return { state: this.state, session: { nonce, expiresAt, spki, setId, threshold, count, received: people } };
  }

  /** Epoch of the open files: every write of keystore rows names it. @throws KmcError E_SEALED. */
  get epoch(): number {
    this.#openRing();
    return this.#epoch;
  }

  /** The key-encryption key that seals now. @throws KmcError E_SEALED. */
  currentKek(purpose: KekPurpose): KeyEncryptionKey {
    return this.#openRing().currentKek(purpose);
  }

  /** When a key-encryption key was made. @throws KmcError E_SEALED. */
  kekCreatedAt(kek: Pick<KeyEncryptionKey, 'purpose' | 'version'>): Date | undefined {
    return this.#openRing().kekCreatedAt(kek);
  }

  /**
   * The key-encryption key of a version, to open what was sealed under it. An unknown version may be one that another
   * node has made: the rows are read again, once.
   * @throws KmcError E_SEALED; E_NOT_FOUND for a version that is nowhere or destroyed.
   */
  async kek(purpose: KekPurpose, version: number): Promise<KeyEncryptionKey> {
    const known = this.#openRing().kek(purpose, version);
    if (known !== undefined) return known;
    await this.reload();
    const loaded = this.#openRing().kek(purpose, version);
    if (loaded !== undefined) return loaded;
    throw new KmcError('E_NOT_FOUND', `There is no key-encryption key ${purpose} of version ${version}.`);
  }

  /**
   * Reads the key-encryption keys of the database again.
   * @throws KmcError E_SEALED, also when another node changed the keystore: this node seals until it has the new files.
   */
  async reload(): Promise<void> {
    const ring = this.#openRing();
    const { epoch, rows } = await this.ports.database.snapshot(async (reader) => ({
      epoch: await reader.instance.keystoreEpoch(),
      rows: await reader.keystoreRows.keks(),
    }));
    if (epoch !== this.#epoch) {
      this.seal();
      throw new KmcError(
        'E_SEALED',
        'Another node changed the keystore; carry its files to this node and unseal again.',
      );
    }
    await openKekRows(ring, this.ports.files, rows);
    // It may have been sealed while keys were opened: they must not stay on a ring that nobody wipes any more.
    if (this.#ring === undefined) ring.wipe();
  }

  /**
   * The newest version of a CA key, opened at its first use.
   * @throws KmcError E_SEALED, E_NOT_FOUND (no such key, or destroyed), E_INTEGRITY (another key than its row says).
   */
  async caKey(keyId: string): Promise<KeyHandle> {
    this.#openRing();
    const caKeys = this.#caKeys;
    const opening = caKeys.get(keyId) ?? this.#openCaKey(keyId);
    caKeys.set(keyId, opening);
    try {
      const key = await opening;
      // Sealing drops the whole map, and destroys the keys that it holds.
      if (this.#caKeys !== caKeys) throw sealedError();
      return key;
    } catch (error) {
      caKeys.delete(keyId);
      throw error;
    }
  }

  /**
   * Seals a new CA key for its row: object version 1 under the current ca-keys key.
   * @throws KmcError E_SEALED, E_ID.
   */
  async sealCaKey(keyId: string, usage: string, key: KeyHandle): Promise<Resealing> {
    const kek = this.currentKek('ca-keys');
    const blob = await this.ports.engine.sealKey(kek, caKeyContext({ keyId, usage, objectVersion: 1 }), key);
    return { blob, kekVersion: kek.version };
  }

  /** Forgets an opened CA key, after its row changed. */
  forgetCaKey(keyId: string): void {
    this.#destroyCaKey(this.#caKeys.get(keyId));
    this.#caKeys.delete(keyId);
  }

  /** Closes everything at once: keys and shares are wiped, later uses are refused. Never fails. */
  seal(): void {
    const isClosed = this.#state === 'UNINIT' || this.#state === 'ERROR';
    this.#close();
    if (!isClosed) this.#enter('sealed');
  }

  /** The running share session; one that has expired is wiped. */
  session(now: Date): ShareSession | undefined {
    if (this.#session?.isOver(now) === true) this.endSession();
    return this.#session;
  }

  /** Starts collecting shares. For begin-unseal. @throws KmcError E_STATE. */
  startSession(session: ShareSession, now: Date): void {
    this.#enter('begun');
    this.#session = session;
    this.#expiry = setTimeout(() => this.endSession(), session.expiresAt.getTime() - now.getTime());
    this.#expiry.unref();
  }

  /** Wipes the running share session, if any. */
  endSession(): void {
    if (this.#session === undefined) return;
    this.#close();
    this.#enter('ended');
  }

  /** Takes the keys that the shares opened. For submit-share. @throws KmcError E_STATE. */
  open(ring: KeyRing, epoch: number): void {
    this.#enter('opened');
    this.#close();
    this.#ring = ring;
    this.#epoch = epoch;
  }

  /** Hands the open ring to a change of the keystore. For the flows of this folder. @throws KmcError E_SEALED. */
  ringForChange(): KeyRing {
    return this.#openRing();
  }

  /** Puts the ring after a change in the place of the one before. @throws KmcError E_SEALED. */
  replaceRing(ring: KeyRing, epoch: number): void {
    this.#openRing().wipeMaster();
    this.#ring = ring;
    this.#epoch = epoch;
  }

  /** Notes a change that left every key as it was. @throws KmcError E_SEALED. */
  noteEpoch(epoch: number): void {
    this.#openRing();
    this.#epoch = epoch;
  }

  /**
   * Runs `work`, and closes everything for good when it finds that stored state contradicts itself.
   * @throws what `work` throws.
   */
  async faultOnContradiction<T>(work: () => Promise<T> | T): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof KmcError && CONTRADICTIONS.includes(error.code)) {
        this.#close();
        this.#enter('fault');
      }
      throw error;
    }
  }

  /** Runs a change of the keystore; after a failure its outcome is open, and only an unseal can tell. */
  async sealOnFailure(change: () => Promise<void>): Promise<void> {
    try {
      await change();
    } catch (error) {
      this.seal();
      throw error;
    }
  }

  #enter(event: SealEvent): void {
    this.#state = nextSealState(this.#state, event);
  }

  #openRing(): KeyRing {
    if (this.#ring === undefined) throw sealedError();
    return this.#ring;
  }

  #close(): void {
    clearTimeout(this.#expiry);
    this.#session?.wipe();
    this.#session = undefined;
    for (const opening of this.#caKeys.values()) this.#destroyCaKey(opening);
    this.#caKeys = new Map();
    this.#ring?.wipe();
    this.#ring = undefined;
  }

  #destroyCaKey(opening: Promise<KeyHandle> | undefined): void {
    opening?.then(
      (key) => this.ports.engine.destroyKey(key),
      () => undefined,
    );
  }

  async #openCaKey(keyId: string): Promise<KeyHandle> {
    const row = await this.ports.database.read((reader) => reader.keystoreRows.caKey(keyId));
    if (row?.blob === undefined) throw new KmcError('E_NOT_FOUND', 'There is no CA key of that id.');
    const kek = await this.kek('ca-keys', row.kekVersion);
    const key = await this.ports.engine.openKey(kek, caKeyContext(row), row.blob);
    if (key.spki.equals(row.spki)) return key;
    this.ports.engine.destroyKey(key);
    throw new KmcError('E_INTEGRITY', 'A sealed CA key is another key than its row states. Restore the database.');
  }
}

function sealedError(): KmcError {
  return new KmcError('E_SEALED', 'The keystore is sealed; its custodians have to unseal it first.');
}
