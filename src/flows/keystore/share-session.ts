/**
 * A meeting of share holders: shares come in encrypted to a key that exists only for it, each is checked as it comes,
 * and the unseal key comes out once there are enough.
 */
import type { CryptoEngine, KeyHandle, SecretHandle, ShareHandle } from '../../crypto/engine.ts';
import { newId } from '../../domain/id.ts';
import { holderOfIndex, type SealFile, type ShareHolder } from '../../domain/keystore/seal-file.ts';
import { KmcError } from '../../errors.ts';

/** Seconds (security-and-faults 2.7). */
export const SHARE_SESSION_SECONDS = 600;

export class ShareSession {
  /** Names the session: a share goes into exactly this one. */
  readonly nonce: string;
  readonly expiresAt: Date;
  readonly seal: SealFile;
  readonly #engine: CryptoEngine;
  readonly #key: KeyHandle;
  readonly #shares = new Map<string, ShareHandle>();
  #isOver = false;
  /** The unseal key has come out: no further share can do anything. */
  #isComplete = false;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(engine: CryptoEngine, key: KeyHandle, seal: SealFile, startedAt: Date) {
    this.#engine = engine;
    this.#key = key;
    this.seal = seal;
    this.nonce = newId('session', startedAt);
    this.expiresAt = new Date(startedAt.getTime() + SHARE_SESSION_SECONDS * 1000);
  }

  /** Opens a session for the share set of a seal file, with a new SM2 key pair inside the engine. */
  static async open(engine: CryptoEngine, seal: SealFile, now: Date): Promise<ShareSession> {
    return new ShareSession(engine, await engine.generateKeyPair('SM2'), seal, now);
  }

  /** SubjectPublicKeyInfo (DER) that holders encrypt their shares to. */
  get spki(): Buffer {
    return this.#key.spki;
  }

  /** The holders whose shares are in, in the order in which they came. */
  get received(): readonly ShareHolder[] {
    return [...this.#shares.values()].map((share) => holderOfIndex(this.seal, share.index));
  }

  isOver(now: Date): boolean {
    return this.#isOver || now >= this.expiresAt;
  }

  /**
   * Takes the share of one holder; shares that come at once are taken one after the other.
   * @param person id of the person that gives it.
   * @param ciphertext the share, encrypted to `spki` by transferShare: DER SM2Cipher.
   * @returns the unseal key, once the threshold is reached; the caller destroys it. Nothing while more are needed.
   * @throws KmcError E_STATE (session over), E_FORBIDDEN (holds no share), E_SAME_PERSON (share is in already),
   * E_SHARE_BAD (damaged, or another holder's), E_SHARE_SET (of another set); after each of them the session goes on.
   * E_INTEGRITY when the shares are right and the key they make is not.
   */
  add(person: string, ciphertext: Buffer, now: Date): Promise<SecretHandle | undefined> {
    const result = this.#last.then(() => this.#addNext(person, ciphertext, now));
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Forgets the key and every share, and wipes their bytes. */
  wipe(): void {
    this.#isOver = true;
    for (const share of this.#shares.values()) this.#engine.destroySecret(share.secret);
    this.#shares.clear();
    this.#engine.destroyKey(this.#key);
  }

  async #addNext(person: string, ciphertext: Buffer, now: Date): Promise<SecretHandle | undefined> {
    if (this.isOver(now) || this.#isComplete) throw sessionOver();
    const holder = this.seal.holders.find((candidate) => candidate.person === person);
    if (holder === undefined) throw new KmcError('E_FORBIDDEN', 'You hold no share of this keystore.');
    if (this.#shares.has(person)) {
      throw new KmcError('E_SAME_PERSON', 'Your share is in already; the others have to be given by other people.');
    }
    const share = await this.#decrypt(holder, ciphertext);
    try {
      const unsealKey = await this.#combineWith(holder, share);
      if (this.#isOver) {
        if (unsealKey !== undefined) this.#engine.destroySecret(unsealKey);
        throw sessionOver();
      }
      this.#shares.set(person, share);
      this.#isComplete = unsealKey !== undefined;
      return unsealKey;
    } catch (error) {
      this.#engine.destroySecret(share.secret);
      throw this.#isOver ? sessionOver() : error;
    }
  }

  async #decrypt(holder: ShareHolder, ciphertext: Buffer): Promise<ShareHandle> {
    const certificateSm3 = Buffer.from(holder.certificate.slice('sm3:'.length), 'hex');
    try {
      return await this.#engine.decryptShare(this.#key, ciphertext, certificateSm3);
    } catch (error) {
      if (this.#isOver) throw sessionOver();
      if (error instanceof KmcError && error.code === 'E_SHARE_BAD') throw error;
      throw new KmcError('E_SHARE_BAD', 'The share does not decrypt; encrypt it to the key of this session.', {
        cause: error,
      });
    }
  }

  /** The engine checks each share against the public list before it counts them: too few means that all are right. */
  async #combineWith(holder: ShareHolder, share: ShareHandle): Promise<SecretHandle | undefined> {
    const { set, unsealCheckValue } = this.seal;
    if (share.setId === set.setId && share.index !== holder.index) {
      throw new KmcError('E_SHARE_BAD', `Share ${share.index} belongs to another holder than the one who gave it.`);
    }
    let unsealKey: SecretHandle;
    try {
      unsealKey = await this.#engine.combineShares([...this.#shares.values(), share], set);
    } catch (error) {
      if (error instanceof KmcError && error.code === 'E_SHARES_FEW') return undefined;
      throw error;
    }
    const checkValue = await this.#engine.keyCheckValue(unsealKey, set.setId);
    if (checkValue.equals(unsealCheckValue)) return unsealKey;
    this.#engine.destroySecret(unsealKey);
    throw new KmcError('E_INTEGRITY', 'The shares are right and do not make the key of the seal file. Restore it.');
  }
}

function sessionOver(): KmcError {
  return new KmcError('E_STATE', 'The session is over; begin a new one and give the shares again.');
}
