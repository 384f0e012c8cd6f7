import { createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { KmcError } from '../errors.ts';
import type { KeyAlgorithmName } from './algorithm-names.ts';
import { wipe } from './bytes.ts';

/**
 * A private key in the clear, inside an engine and nowhere else. Only `parsePkcs8` makes one, after it has checked the
 * numbers: OpenSSL checks none of them at import.
 */
export class PrivateKey {
  readonly algorithm: KeyAlgorithmName;
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly #pkcs8: Buffer;
  #keyObject: KeyObject | undefined;
  #derived: Buffer | undefined;
  #destroyed = false;

  /** Takes `pkcs8` over: it is wiped by {@link destroy}. */
  constructor(algorithm: KeyAlgorithmName, spki: Buffer, pkcs8: Buffer) {
    this.algorithm = algorithm;
    this.spki = spki;
    this.#pkcs8 = pkcs8;
  }

  /** The plain PrivateKeyInfo (DER, the form pkcs8.ts writes), not a copy. Throws `E_USAGE` after {@link destroy}. */
  get pkcs8(): Buffer {
    if (this.#destroyed) throw destroyed();
    return this.#pkcs8;
  }

  /** The key for node:crypto, imported at the first use since that costs as much as a signature. */
  get keyObject(): KeyObject {
    this.#keyObject ??= createPrivateKey({ key: this.pkcs8, format: 'der', type: 'pkcs8' });
    return this.#keyObject;
  }

  /** A secret computed from the key at the first use; it is kept, and wiped with the key. Throws `E_USAGE` as above. */
  derived(compute: () => Buffer): Buffer {
    if (this.#destroyed) throw destroyed();
    return (this.#derived ??= compute());
  }

  /** Forgets the key and wipes its octets. */
  destroy(): void {
    this.#destroyed = true;
    this.#keyObject = undefined;
    wipe(this.#pkcs8, this.#derived);
    this.#derived = undefined;
  }
}

function destroyed(): KmcError {
  return new KmcError('E_USAGE', 'The private key was destroyed; open it again.');
}
