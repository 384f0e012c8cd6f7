import type { SignatureAlgorithmName } from '../algorithm-names.ts';
import { packOctets } from './octets.ts';
import { inPortions } from './portions.ts';

export interface SignatureToVerify {
  readonly algorithm: SignatureAlgorithmName;
  /** subjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly message: Buffer;
  /** In its X.509 form. */
  readonly signature: Buffer;
}

/**
 * Verifies many signatures, on worker threads when there are more than a few: the verdict of `verifySignature` for each,
 * in their order. Throws what that throws for a key that is not acceptable.
 */
export async function verifyMany(items: readonly SignatureToVerify[]): Promise<boolean[]> {
  const verdicts = await inPortions('verdicts', items, (part) => ({
    input: {
      algorithms: part.map(({ algorithm }) => algorithm),
      spkis: packOctets(part.map(({ spki }) => spki)),
      messages: packOctets(part.map(({ message }) => message)),
      signatures: packOctets(part.map(({ signature }) => signature)),
    },
  }));
  return verdicts.flat();
}
