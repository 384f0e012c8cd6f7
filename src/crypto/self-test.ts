/**
 * Known-answer tests of every primitive an engine stands on, run at start: a library, an OpenSSL build or a machine that
 * computes wrongly must not touch a key.
 */
import { KmcError } from '../errors.ts';
import {
  KEY_ALGORITHMS,
  SIGNATURE_ALGORITHMS,
  signMessage,
  verifyIndependently,
  verifySignature,
} from './algorithms.ts';
import type { KeyAlgorithmName, SignatureAlgorithmName } from './algorithms.ts';
import { wipe } from './bytes.ts';
import { encodeSm2Ciphertext } from './gm/sm2-ciphertext.ts';
import { decryptSm2, encryptSm2WithNonce } from './gm/sm2-encrypt.ts';
import { hkdfSm3, hmacSm3, sm3 } from './gm/sm3.ts';
import { sm4Ctr, sm4EcbDecrypt, sm4EcbEncrypt } from './gm/sm4.ts';
import { encodeEcPkcs8, parsePkcs8 } from './pkcs8.ts';
import type { PrivateKey } from './private-key.ts';
import { openBlob, sealBlob } from './seal.ts';
import {
  BLOB_ANSWER,
  HKDF_SM3_ANSWER,
  HMAC_SM3_ANSWER,
  P256_ANSWER,
  RSA_ANSWER,
  SIGNED_MESSAGE,
  SM2_ANSWER,
  SM3_ANSWER,
  SM4_ANSWER,
} from './self-test-answers.ts';

/** The primitives under test. Tests give faulty ones. */
export const SELF_TEST_PRIMITIVES = {
  sm3,
  hmacSm3,
  hkdfSm3,
  sm4EcbEncrypt,
  sm4EcbDecrypt,
  sm4Ctr,
  encryptSm2WithNonce,
  decryptSm2,
  signMessage,
  verifySignature,
  verifyIndependently,
  sealBlob,
  openBlob,
  generateKeyPair: (algorithm: KeyAlgorithmName) => KEY_ALGORITHMS[algorithm].generateKeyPair(),
};
export type SelfTestPrimitives = typeof SELF_TEST_PRIMITIVES;

interface KnownAnswerTest {
  readonly name: string;
  /** True when every answer is the known one. */
  readonly holds: (primitives: SelfTestPrimitives) => boolean | Promise<boolean>;
}

// Read at each use: nothing of this may cost time when a program starts, and a failure here is a failed test.
const sm2TestKey = (): PrivateKey => parsePkcs8(encodeEcPkcs8('SM2', SM2_ANSWER.scalar, SM2_ANSWER.point));
const p256TestKey = (): PrivateKey => parsePkcs8(encodeEcPkcs8('EC-P256', P256_ANSWER.scalar, P256_ANSWER.point));
const rsaTestKey = (): PrivateKey => parsePkcs8(RSA_ANSWER.pkcs8);

const KNOWN_ANSWER_TESTS: readonly KnownAnswerTest[] = [
  { name: 'SM3', holds: (p) => p.sm3(SM3_ANSWER.message).equals(SM3_ANSWER.digest) },
  {
    name: 'HMAC-SM3',
    holds: (p) => p.hmacSm3(HMAC_SM3_ANSWER.key, HMAC_SM3_ANSWER.message).equals(HMAC_SM3_ANSWER.tag),
  },
  {
    name: 'HKDF-SM3',
    holds(p) {
      const { ikm, salt, info, okm } = HKDF_SM3_ANSWER;
      return p.hkdfSm3(ikm, salt, info, okm.length).equals(okm);
    },
  },
  {
    name: 'SM4',
    holds(p) {
      const { key, plaintext, ciphertext, ctr } = SM4_ANSWER;
      return (
        p.sm4EcbEncrypt(key, plaintext).equals(ciphertext) &&
        p.sm4EcbDecrypt(key, ciphertext).equals(plaintext) &&
        p.sm4Ctr(key, ctr.start, ctr.plaintext).equals(ctr.ciphertext)
      );
    },
  },
  {
    name: 'SM2 verification',
    holds: (p) => verifiesOnly(p, 'SM2-SM3', sm2TestKey().spki, SIGNED_MESSAGE, SM2_ANSWER.signature),
  },
  { name: 'SM2 signature', holds: (p) => signsVerifiably(p, 'SM2-SM3', sm2TestKey()) },
  {
    name: 'SM2 encryption',
    holds(p) {
      const parts = p.encryptSm2WithNonce(SM2_ANSWER.point, SM2_ANSWER.plaintext, SM2_ANSWER.nonce);
      return parts !== undefined && encodeSm2Ciphertext(parts, 'C1C3C2').equals(SM2_ANSWER.ciphertext);
    },
  },
  {
    name: 'SM2 decryption',
    holds: (p) => p.decryptSm2(SM2_ANSWER.scalar, SM2_ANSWER.ciphertext, 'C1C3C2').equals(SM2_ANSWER.plaintext),
  },
  {
    name: 'ECDSA',
    holds(p) {
      const key = p256TestKey();
      return (
        verifiesOnly(p, 'ECDSA-P256-SHA256', key.spki, P256_ANSWER.message, P256_ANSWER.signature) &&
        signsVerifiably(p, 'ECDSA-P256-SHA256', key)
      );
    },
  },
  {
    name: 'RSA PKCS#1',
    holds(p) {
      const key = rsaTestKey();
      return (
        p.signMessage('RSA-SHA256', key, SIGNED_MESSAGE).equals(RSA_ANSWER.pkcs1Signature) &&
        verifiesOnly(p, 'RSA-SHA256', key.spki, SIGNED_MESSAGE, RSA_ANSWER.pkcs1Signature)
      );
    },
  },
  {
    name: 'RSA PSS',
    holds(p) {
      const key = rsaTestKey();
      return (
        verifiesOnly(p, 'RSA-PSS-SHA256', key.spki, SIGNED_MESSAGE, RSA_ANSWER.pssSignature) &&
        signsVerifiably(p, 'RSA-PSS-SHA256', key)
      );
    },
  },
  {
    name: 'blob suite 1',
    holds(p) {
      const { kek, header, salt, content, blob } = BLOB_ANSWER;
      const opened = p.openBlob(kek, { ...header, algorithms: [header.algorithm] }, blob);
      return p.sealBlob(kek, header, content, salt).equals(blob) && opened.content.equals(content);
    },
  },
  {
    name: 'pairwise consistency',
    async holds(p) {
      const { pkcs8, spki } = await p.generateKeyPair('SM2');
      const key = parsePkcs8(pkcs8);
      try {
        return key.spki.equals(spki) && signsVerifiably(p, 'SM2-SM3', key);
      } finally {
        key.destroy();
        wipe(pkcs8);
      }
    },
  },
];

/** The names of the known-answer tests, in the order in which they run. */
export const SELF_TEST_NAMES: readonly string[] = KNOWN_ANSWER_TESTS.map(({ name }) => name);

/** Runs the known-answer tests. @throws KmcError E_SELF_TEST that names the first one that fails. */
export async function runSelfTest(primitives: SelfTestPrimitives = SELF_TEST_PRIMITIVES): Promise<void> {
  for (const { name, holds } of KNOWN_ANSWER_TESTS) {
    let held = false;
    let cause: unknown;
    try {
      held = await holds(primitives);
    } catch (error) {
      cause = error;
    }
    if (!held) {
      const message = `The self-test of ${name} failed; do not use this machine or installation until it passes.`;
      throw new KmcError('E_SELF_TEST', message, cause === undefined ? {} : { cause });
    }
  }
}

/**
 * Signs and verifies with a new key pair (GM/T 0028 conditional self-test); that dG is the public key was checked when
 * the key was read. @throws KmcError E_SELF_TEST.
 */
export function assertPairwiseConsistent(key: PrivateKey): void {
  if (!signsVerifiably(SELF_TEST_PRIMITIVES, KEY_ALGORITHMS[key.algorithm].defaultSignature, key)) {
    throw selfTestFailed();
  }
}

/** The refusal of a new key pair that is not consistent. */
export function selfTestFailed(): KmcError {
  return new KmcError('E_SELF_TEST', 'A new key pair does not hold together; stop and examine this machine.');
}

function signsVerifiably(p: SelfTestPrimitives, algorithm: SignatureAlgorithmName, key: PrivateKey): boolean {
  return p.verifySignature(algorithm, key.spki, SIGNED_MESSAGE, p.signMessage(algorithm, key, SIGNED_MESSAGE));
}

/** The signature verifies by every implementation there is, and by none over another message. */
function verifiesOnly(
  p: SelfTestPrimitives,
  algorithm: SignatureAlgorithmName,
  spki: Buffer,
  message: Buffer,
  signature: Buffer,
): boolean {
  const other = Buffer.concat([message, Buffer.alloc(1)]);
  return (
    p.verifySignature(algorithm, spki, message, signature) &&
    !p.verifySignature(algorithm, spki, other, signature) &&
    (SIGNATURE_ALGORITHMS[algorithm].verifyIndependently === undefined ||
      (p.verifyIndependently(algorithm, spki, message, signature) &&
        !p.verifyIndependently(algorithm, spki, other, signature)))
  );
}
