import { KEY_ALGORITHMS, SIGNATURE_ALGORITHMS } from '../../crypto/algorithms.ts';
import type { CryptoEngine, KeyHandle } from '../../crypto/engine.ts';
import { spkiSm3 } from '../../crypto/spki.ts';
import { manifestBytes, type Manifest } from '../../domain/trust/manifest.ts';
import { requireConsistent } from '../../domain/trust/manifest-consistency.ts';

/**
 * A bundle-signer's signature on a manifest, made on the signer's own side; one that the key made before is replaced.
 * @throws KmcError E_TRUST (inconsistent, deny-list) for a manifest that nobody should sign.
 */
export async function signManifest(
  { engine, key }: { readonly engine: CryptoEngine; readonly key: KeyHandle },
  manifest: Manifest,
): Promise<Manifest> {
  requireConsistent(manifest.body);
  const algorithm = KEY_ALGORITHMS[key.algorithm].jsonSignature;
  const signature = await engine.sign(key, algorithm, manifestBytes(manifest.body));
  const kid = spkiSm3(key.spki);
  const others = manifest.signatures.filter((each) => each.kid !== kid);
  const sig = SIGNATURE_ALGORITHMS[algorithm].toRaw(signature).toString('base64');
  return { body: manifest.body, signatures: [...others, { kid, sig }] };
}
