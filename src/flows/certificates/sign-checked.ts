import { SIGNATURE_ALGORITHMS, verifyIndependently, verifySignature } from '../../crypto/algorithms.ts';
import type { SignatureAlgorithmName } from '../../crypto/algorithms.ts';
import type { CryptoEngine, KeyHandle } from '../../crypto/engine.ts';
import { KmcError } from '../../errors.ts';

/** Who signs: the key of an authority, or of one of its delegates, inside the engine. */
export interface ObjectSigner {
  readonly engine: Pick<CryptoEngine, 'sign'>;
  readonly key: KeyHandle;
  readonly algorithm: SignatureAlgorithmName;
}

/**
 * Signs octets and lets an implementation that shares no code with the engine check the signature before it leaves: a
 * fault in the engine, or in the memory below it, is found here and not by the relying parties.
 * @returns the signature in its X.509 form.
 * @throws KmcError E_INTEGRITY when the signature does not verify: the caller must not go on with this engine.
 */
export async function signChecked({ engine, key, algorithm }: ObjectSigner, octets: Buffer): Promise<Buffer> {
  const signature = await engine.sign(key, algorithm, octets);
  const check =
    SIGNATURE_ALGORITHMS[algorithm].verifyIndependently === undefined ? verifySignature : verifyIndependently;
  if (check(algorithm, key.spki, octets, signature)) return signature;
  throw new KmcError('E_INTEGRITY', 'A signature that was just made does not verify. Stop and check this machine.');
}
