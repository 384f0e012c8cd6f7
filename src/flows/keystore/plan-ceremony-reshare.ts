/** What a re-sharing of the ceremony keystore changes: every key of the hierarchy, and with them every sealed root key. */
import type { CryptoEngine, KekPurpose, KeyHandle } from '../../crypto/engine.ts';
import { rootKeyContext } from '../../domain/keystore/blob-context.ts';
import { KEYSTORE_PURPOSES, kekFileName, masterFileName } from '../../domain/keystore/keystore-kind.ts';
import { rootKeyFileName, sealFileName } from '../../domain/keystore/keystore-kind.ts';
import type { CheckValue } from '../../domain/keystore/manifest.ts';
import { encodeSealFile, type SealFile } from '../../domain/keystore/seal-file.ts';
import type { KeystoreFileReader } from '../ports/keystore.ts';
import type { KeystoreChange } from './commit-change.ts';
import { handOutShares, type HandOut } from './hand-out-shares.ts';
import { kekCheckValue, KeyRing, type SealedKek } from './key-ring.ts';

type ResharePlan = Pick<KeystoreChange, 'adds' | 'removes' | 'seal' | 'checkValues'>;

interface Before {
  readonly ring: KeyRing;
  readonly seal: SealFile;
  readonly checkValues: readonly CheckValue[];
  readonly keys: readonly { readonly keyId: string; readonly version: number; readonly key: KeyHandle }[];
}

/** Earlier backups stay readable: their key is kept, under the earlier master key. */
const KEPT_PURPOSE: KekPurpose = 'backup';

/**
 * Makes the new keys, seals the root keys under them and delivers the new shares.
 * @returns the new ring, which the caller owns, and the change of the files.
 * @throws KmcError E_SAME_PERSON, E_USAGE (threshold).
 */
export async function planCeremonyReshare(
  { engine, files }: { readonly engine: CryptoEngine; readonly files: KeystoreFileReader },
  before: Before,
  handOut: HandOut,
): Promise<{ next: KeyRing; plan: ResharePlan }> {
  const next = await KeyRing.generate(engine, before.ring.masterVersion + 1);
  try {
    const earlier = {
      name: masterFileName(before.ring.masterVersion),
      bytes: await next.sealEarlierMaster(before.ring),
    };
    const keks: SealedKek[] = [];
    for (const purpose of KEYSTORE_PURPOSES.ceremony) {
      const kek = await next.generateKek(purpose, before.ring.currentKek(purpose).version + 1);
      await next.openKek(kek, files);
      keks.push(kek);
    }
    const roots = [];
    for (const { keyId, version, key } of before.keys) {
      const blob = await engine.sealKey(next.currentKek('root-keys'), rootKeyContext(keyId, version + 1), key);
      roots.push({ name: rootKeyFileName(keyId, version + 1), bytes: blob });
    }
    const seal = await handOutShares(engine, next, handOut);
    const dropped = before.ring.keks().filter((kek) => kek.purpose !== KEPT_PURPOSE);
    const plan: ResharePlan = {
      adds: [
        { name: sealFileName(seal.set.setId), bytes: encodeSealFile(seal) },
        earlier,
        ...keks.map((kek) => ({ name: kekFileName(kek.purpose, kek.version), bytes: kek.blob })),
        ...roots,
      ],
      removes: [
        sealFileName(before.seal.set.setId),
        ...dropped.map((kek) => kekFileName(kek.purpose, kek.version)),
        ...before.keys.map(({ keyId, version }) => rootKeyFileName(keyId, version)),
      ],
      checkValues: [
        await next.masterCheckValue(),
        ...before.checkValues.filter(({ key }) => key.startsWith(`${KEPT_PURPOSE}-`)),
        ...keks.map(kekCheckValue),
      ],
      seal,
    };
    return { next, plan };
  } catch (error) {
    next.wipe();
    throw error;
  }
}
