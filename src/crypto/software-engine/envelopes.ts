/** SM2 private keys that leave and enter the software engine in envelopes (GM/T 0009, 0010, 0016). */
import { signMessage, verifySignature } from '../algorithms.ts';
import { wipe } from '../bytes.ts';
import type { CryptoEngine, KeyHandle } from '../engine.ts';
import { ENVELOPE_PACKINGS } from '../gm/envelope-packings.ts';
import { makeKeyEnvelope, openKeyEnvelope, type Sm2KeyPair } from '../gm/key-envelope.ts';
import { encodeSignedEnvelopedKey, openSignedEnvelopedKey } from '../gm/signed-enveloped-key.ts';
import { encodeSm2Pkcs8 } from '../pkcs8.ts';
import type { PrivateKey } from '../private-key.ts';
import { sm2PointFromSpki } from '../spki.ts';
import type { EngineState } from './handles.ts';
import { admitKey, sm2ScalarOf } from './keys.ts';

type EnvelopeOperations = Pick<CryptoEngine, 'envelopeKey' | 'openEnvelopedKey' | 'packageKey' | 'openKeyPackage'>;

/** The pair of an SM2 key: its scalar is a view, as `sm2ScalarOf`. */
function sm2PairOf(key: PrivateKey): Sm2KeyPair {
  return { scalar: sm2ScalarOf(key), point: sm2PointFromSpki(key.spki) };
}

/** A handle for an SM2 pair in clear, which is then wiped. */
function admitPair(state: EngineState, { scalar, point }: Sm2KeyPair): KeyHandle {
  try {
    return admitKey(state, encodeSm2Pkcs8(scalar, point));
  } finally {
    wipe(scalar);
  }
}

/** The operations of the port on envelopes. */
export function envelopeOperations(state: EngineState): EnvelopeOperations {
  const { keys } = state;
  return {
    async envelopeKey(key, recipientSpki, packing = 'gmt-0009') {
      const envelope = makeKeyEnvelope(sm2PairOf(keys.stateOf(key)), sm2PointFromSpki(recipientSpki));
      return ENVELOPE_PACKINGS[packing].pack(envelope);
    },
    async openEnvelopedKey(recipient, envelopedKey, packing = 'gmt-0009') {
      const recipientScalar = sm2ScalarOf(keys.stateOf(recipient));
      return admitPair(state, openKeyEnvelope(recipientScalar, ENVELOPE_PACKINGS[packing].parse(envelopedKey)));
    },
    async packageKey(key, to, by, contentAlgorithm) {
      const signer = keys.stateOf(by.key);
      // A key of another kind is refused before the private key is touched.
      sm2ScalarOf(signer);
      return encodeSignedEnvelopedKey(
        sm2PairOf(keys.stateOf(key)),
        { point: sm2PointFromSpki(to.spki), identifier: to.identifier },
        { ...by, sign: (content) => signMessage('SM2-SM3', signer, content) },
        contentAlgorithm,
      );
    },
    async openKeyPackage(recipient, keyPackage, spki, signerSpki) {
      const recipientScalar = sm2ScalarOf(keys.stateOf(recipient));
      const verify = (content: Buffer, signature: Buffer): boolean =>
        verifySignature('SM2-SM3', signerSpki, content, signature);
      return admitPair(state, openSignedEnvelopedKey(recipientScalar, keyPackage, sm2PointFromSpki(spki), verify));
    },
  };
}
