/** Ties a master key to a new set of share holders: a new unseal key, split, each share encrypted to its holder. */
import type { CryptoEngine } from '../../crypto/engine.ts';
import type { SealFile, ShareHolder } from '../../domain/keystore/seal-file.ts';
import { KmcError } from '../../errors.ts';
import { checkShareSubsets } from './check-share-subsets.ts';
import type { KeyRing } from './key-ring.ts';

const UNSEAL_KEY_BYTES = 32;

export interface FutureHolder {
  /** Id of the person. */
  readonly person: string;
  /** `sm3:<hex>` of the certificate (DER). */
  readonly certificate: string;
  /** SubjectPublicKeyInfo (DER) of that certificate, an SM2 key. */
  readonly spki: Buffer;
}

/** A share for its holder: public, useless without the holder's key. */
export interface SealedShare extends ShareHolder {
  readonly setId: string;
  /** DER SM2Cipher. */
  readonly ciphertext: Buffer;
}

export interface HandOut {
  readonly threshold: number;
  readonly holders: readonly FutureHolder[];
  /** Brings the shares to their holders. It must have done so durably when it returns: the keystore is made after it. */
  readonly deliver: (shares: readonly SealedShare[]) => Promise<void> | void;
}

/**
 * Makes a new unseal key and share set for the master key of a ring, tries every group of holders, and delivers the
 * shares.
 * @returns the seal file of the set.
 * @throws KmcError E_SAME_PERSON (a person or certificate twice), E_USAGE (threshold), E_POINT (a holder's key).
 */
export async function handOutShares(engine: CryptoEngine, ring: KeyRing, handOut: HandOut): Promise<SealFile> {
  const { threshold, holders } = handOut;
  for (const field of ['person', 'certificate'] as const) {
    if (new Set(holders.map((holder) => holder[field])).size !== holders.length) {
      throw new KmcError('E_SAME_PERSON', 'Each share goes to another person with another certificate.');
    }
  }
  const unsealKey = await engine.generateSecret(UNSEAL_KEY_BYTES);
  try {
    const { shares, set } = await engine.splitSecret(unsealKey, threshold, holders.length);
    const unsealCheckValue = await engine.keyCheckValue(unsealKey, set.setId);
    const sealed: SealedShare[] = [];
    try {
      await checkShareSubsets(engine, shares, set, unsealCheckValue);
      for (const [position, { person, certificate, spki }] of holders.entries()) {
        const share = shares[position];
        if (share === undefined) throw new KmcError('E_INTERNAL', 'The engine made fewer shares than asked for.');
        const certificateSm3 = Buffer.from(certificate.slice('sm3:'.length), 'hex');
        const ciphertext = await engine.encryptShareTo(share, spki, certificateSm3);
        sealed.push({ setId: set.setId, index: share.index, person, certificate, ciphertext });
      }
    } finally {
      for (const share of shares) engine.destroySecret(share.secret);
    }
    const seal: SealFile = {
      set,
      holders: sealed.map(({ index, person, certificate }) => ({ index, person, certificate })),
      unsealCheckValue,
      masterVersion: ring.masterVersion,
      wrappedMaster: await ring.wrapMaster(set.setId, unsealKey),
    };
    await handOut.deliver(sealed);
    return seal;
  } finally {
    engine.destroySecret(unsealKey);
  }
}
