/**
 * SM2 by the WebAssembly kernel, in constant time wherever a secret is at work. The independent check of its signatures is
 * OpenSSL's verification, with the digest of the message computed by both.
 */
import { createVerify } from 'node:crypto';
import { KmcError } from '../../errors.ts';
import { concat, equalConstantTime, isAllZero, wipe } from '../bytes.ts';
import { ecSignatureFromRaw, ecSignatureToRaw } from '../ec-signature.ts';
import {
  kernelBaseMultiples,
  kernelDecrypt,
  kernelEncrypt,
  kernelExchangePoint,
  kernelIsPoint,
  kernelSignatures,
  kernelSigningInverses,
  kernelSm3OfAny,
  kernelVerifies,
} from '../kernel/kernel.ts';
import type { RandomSource } from '../random.ts';
import type { Sm2Arithmetic, Sm2SigningKey } from './sm2-arithmetic.ts';
import { SM2_LARGEST_NONCE } from './sm2-curve.ts';
import { opensslSm3, sm3 } from './sm3.ts';

// Another k is asked for with a probability of 2^-255.
const ATTEMPTS = 8;

/** Signs a digest with nonces until the standard asks for no other. */
function signAgain(digest: Buffer, inverse: Buffer, random: RandomSource): Buffer {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const nonce = random.scalar(SM2_LARGEST_NONCE);
    const [signature] = kernelSignatures([{ digest, inverse, nonce }]);
    wipe(nonce);
    if (signature !== undefined && !isAllZero(signature)) return signature;
  }
  throw new KmcError('E_SELF_TEST', 'SM2 gives no usable signature; stop and examine this machine.');
}

function inverseOf(key: Sm2SigningKey): Buffer {
  return key.derived(() => concat(...kernelSigningInverses([key.scalar])));
}

export const sm2ByKernel: Sm2Arithmetic = {
  multiplyBase: kernelBaseMultiples,
  isOnCurve: kernelIsPoint,
  sign(key, z, messages, random) {
    const inverse = inverseOf(key);
    const items = messages.map((message) => ({
      digest: sm3(z, message),
      inverse,
      nonce: random.scalar(SM2_LARGEST_NONCE),
    }));
    const signatures = kernelSignatures(items);
    return items.map(({ digest, nonce }, at) => {
      wipe(nonce);
      const signature = signatures[at];
      const good = signature !== undefined && !isAllZero(signature);
      return ecSignatureFromRaw(good ? signature : signAgain(digest, inverse, random));
    });
  },
  verify: ({ point }, z, message, signature) => kernelVerifies(sm3(z, message), ecSignatureToRaw(signature), point),
  verifyIndependently({ keyObject }, identity, message, signature) {
    const z = opensslSm3(identity);
    return (
      equalConstantTime(kernelSm3OfAny(kernelSm3OfAny(identity), message), opensslSm3(z, message)) &&
      createVerify('sm3').update(z).update(message).verify(keyObject, signature)
    );
  },
  encrypt: (point, message, nonce) => kernelEncrypt([{ point, message, nonce }])[0],
  decrypt: kernelDecrypt,
  sharedPoint: kernelExchangePoint,
};
