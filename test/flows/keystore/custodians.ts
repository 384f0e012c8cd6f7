/** Custodians with keys of their own, in an engine of their own, and what they do with their shares. */
import type { CryptoEngine, KeyHandle } from '../../../src/crypto/engine.ts';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import { createSoftwareEngine } from '../../../src/crypto/software-engine.ts';
import type { PersonCaller } from '../../../src/domain/caller.ts';
import type { FutureHolder, SealedShare } from '../../../src/flows/keystore/hand-out-shares.ts';
import { transferShare } from '../../../src/flows/keystore/transfer-share.ts';

export class Custodian {
  readonly caller: PersonCaller;
  /** The share as it was handed out. */
  share: Buffer = Buffer.alloc(0);
  readonly #engine: CryptoEngine;
  readonly #key: KeyHandle;
  readonly #certificateSm3: Buffer;

  private constructor(engine: CryptoEngine, key: KeyHandle, person: string) {
    this.#engine = engine;
    this.#key = key;
    this.#certificateSm3 = sm3(Buffer.from(`certificate of ${person}`));
    const certificateSm3 = `sm3:${this.#certificateSm3.toString('hex')}`;
    this.caller = { type: 'person', id: person, unit: 'centre', roles: [{ role: 'custodian' }], certificateSm3 };
  }

  static async make(person: string): Promise<Custodian> {
    const engine = createSoftwareEngine();
    return new Custodian(engine, await engine.generateKeyPair('SM2'), person);
  }

  get holder(): FutureHolder {
    return { person: this.caller.id, certificate: this.caller.certificateSm3, spki: this.#key.spki };
  }

  /** The share (or another one that this holder's key opens), encrypted to the key of a session. */
  transfer(sessionSpki: Buffer, share = this.share): Promise<Buffer> {
    const holder = { holder: this.#key, holderCertificateSm3: this.#certificateSm3 };
    return transferShare(this.#engine, { ...holder, share, sessionSpki });
  }
}

/** `count` custodians, p-1, p-2, and so on. */
export function makeCustodians(count: number): Promise<Custodian[]> {
  return Promise.all(Array.from({ length: count }, (_, position) => Custodian.make(`p-${position + 1}`)));
}

/** Brings shares to their holders, as a ceremony does. */
export function delivery(custodians: readonly Custodian[]): (shares: readonly SealedShare[]) => void {
  return (shares) => {
    for (const share of shares) {
      const holder = custodians.find((custodian) => custodian.caller.id === share.person);
      if (holder !== undefined) holder.share = share.ciphertext;
    }
  };
}
