/**
 * SM2 by the WebAssembly kernel, in constant time wherever a secret is at work. The independent check of its signatures is
 * OpenSSL's verification, with the digest of the message computed by both.
 */
import { createVerify } from 'node:crypto';
import { KmcError } from '../../errors.ts';
import { equalConstantTime, isAllZero, wipe } from '../bytes.ts';
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
import type { Sm2Arithmetic } from './sm2-arithmetic.ts';
import { SM2_LARGEST_NONCE } from './sm2-curve.ts';
import { opensslSm3, sm3 } from './sm3.ts';

// Another k is asked for with a probability of 2^-255.
const ATTEMPTS = 8;

export const sm2ByKernel: Sm2Arithmetic = {
  multiplyBase: kernelBaseMultiples,
  isOnCurve: kernelIsPoint,
  sign(key, z, messages, random) {
    const inverse = key.derived(() => kernelSigningInverses([key.scalar])[0] ?? Buffer.alloc(0));
    const signatures = new Map<number, Buffer>();
    let waiting = messages.map((message, at) => ({ at, digest: sm3(z, message) }));
    for (let attempt = 0; attempt < ATTEMPTS && waiting.length > 0; attempt += 1) {
      const items = waiting.map(({ digest }) => ({ digest, inverse, nonce: random.scalar(SM2_LARGEST_NONCE) }));
      const raw = kernelSignatures(items);
      for (const { nonce } of items) wipe(nonce);
      waiting = waiting.filter(({ at }, index) => {
        const signature = raw[index];
        if (signature === undefined || isAllZero(signature)) return true;
        signatures.set(at, ecSignatureFromRaw(signature));
        return false;
      });
    }
    if (waiting.length > 0) {
      throw new KmcError('E_SELF_TEST', 'SM2 gives no usable signature; stop and examine this machine.');
    }
    return messages.map((_, at) => signatures.get(at) ?? Buffer.alloc(0));
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
