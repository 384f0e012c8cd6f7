import { expect } from 'chai';
import {
  assertPairwiseConsistent,
  runSelfTest,
  SELF_TEST_NAMES,
  SELF_TEST_PRIMITIVES,
  type SelfTestPrimitives,
} from '../../src/crypto/self-test.ts';
import { KEY_ALGORITHMS } from '../../src/crypto/algorithms.ts';
import { parsePkcs8 } from '../../src/crypto/pkcs8.ts';
import { PrivateKey } from '../../src/crypto/private-key.ts';
import { refusal } from './refusal.ts';

function oneBitOff(bytes: Buffer): Buffer {
  const wrong = Buffer.from(bytes);
  wrong[wrong.length - 1]! ^= 1;
  return wrong;
}

const right = SELF_TEST_PRIMITIVES;

/** Faults of a primitive and the test that must find each first. */
const FAULTS: readonly {
  readonly found: string;
  readonly what: string;
  readonly fault: Partial<SelfTestPrimitives>;
}[] = [
  { found: 'SM3', what: 'a wrong digest', fault: { sm3: (...parts) => oneBitOff(right.sm3(...parts)) } },
  {
    found: 'SM3',
    what: 'a digest that fails',
    fault: {
      sm3() {
        throw new Error('no such digest');
      },
    },
  },
  { found: 'HMAC-SM3', what: 'a wrong MAC', fault: { hmacSm3: (...args) => oneBitOff(right.hmacSm3(...args)) } },
  {
    found: 'HKDF-SM3',
    what: 'a wrong derived key',
    fault: { hkdfSm3: (...args) => oneBitOff(right.hkdfSm3(...args)) },
  },
  {
    found: 'SM4',
    what: 'wrong encryption',
    fault: { sm4EcbEncrypt: (...args) => oneBitOff(right.sm4EcbEncrypt(...args)) },
  },
  {
    found: 'SM4',
    what: 'wrong decryption',
    fault: { sm4EcbDecrypt: (...args) => oneBitOff(right.sm4EcbDecrypt(...args)) },
  },
  { found: 'SM4', what: 'a wrong counter', fault: { sm4Ctr: (...args) => oneBitOff(right.sm4Ctr(...args)) } },
  {
    found: 'SM2 verification',
    what: 'no signature verifies',
    fault: { verifySignature: (name, ...args) => name !== 'SM2-SM3' && right.verifySignature(name, ...args) },
  },
  {
    found: 'SM2 verification',
    what: 'every signature verifies',
    fault: { verifySignature: (name, ...args) => name === 'SM2-SM3' || right.verifySignature(name, ...args) },
  },
  {
    found: 'SM2 verification',
    what: 'the second implementation accepts all',
    fault: { verifyIndependently: () => true },
  },
  {
    found: 'SM2 signature',
    what: 'a wrong signature',
    fault: {
      signMessage: (name, ...args) =>
        name === 'SM2-SM3' ? oneBitOff(right.signMessage(name, ...args)) : right.signMessage(name, ...args),
    },
  },
  { found: 'SM2 encryption', what: 'no ciphertext', fault: { encryptSm2WithNonce: () => undefined } },
  {
    found: 'SM2 encryption',
    what: 'another message encrypted',
    fault: {
      encryptSm2WithNonce: (point, message, nonce) => right.encryptSm2WithNonce(point, oneBitOff(message), nonce),
    },
  },
  {
    found: 'SM2 decryption',
    what: 'a wrong message',
    fault: { decryptSm2: (...args) => oneBitOff(right.decryptSm2(...args)) },
  },
  {
    found: 'ECDSA',
    what: 'every ECDSA signature verifies',
    fault: { verifySignature: (name, ...args) => name === 'ECDSA-P256-SHA256' || right.verifySignature(name, ...args) },
  },
  {
    found: 'RSA PKCS#1',
    what: 'a wrong RSA signature',
    fault: {
      signMessage: (name, ...args) =>
        name === 'RSA-SHA256' ? oneBitOff(right.signMessage(name, ...args)) : right.signMessage(name, ...args),
    },
  },
  {
    found: 'RSA PSS',
    what: 'no PSS signature verifies',
    fault: { verifySignature: (name, ...args) => name !== 'RSA-PSS-SHA256' && right.verifySignature(name, ...args) },
  },
  { found: 'blob suite 1', what: 'a wrong blob', fault: { sealBlob: (...args) => oneBitOff(right.sealBlob(...args)) } },
  {
    found: 'blob suite 1',
    what: 'wrong content',
    fault: {
      openBlob(...args) {
        const opened = right.openBlob(...args);
        return { ...opened, content: oneBitOff(opened.content) };
      },
    },
  },
  {
    found: 'pairwise consistency',
    what: 'a public key of another private key',
    fault: {
      async generateKeyPair(algorithm) {
        const [one, two] = [await right.generateKeyPair(algorithm), await right.generateKeyPair(algorithm)];
        return { pkcs8: one.pkcs8, spki: two.spki };
      },
    },
  },
];

describe('the self-test', () => {
  it('passes on this machine', async () => {
    await runSelfTest();
  });

  for (const { found, what, fault } of FAULTS) {
    it(`of ${found} finds ${what} and says so with E_SELF_TEST`, async () => {
      const error = await refusal('E_SELF_TEST', () => runSelfTest({ ...right, ...fault }));
      expect(error.message).to.include(`The self-test of ${found} failed`);
    });
  }

  it('has been seen to fail in each of its parts', () => {
    expect([...new Set(FAULTS.map(({ found }) => found))]).to.deep.equal([...SELF_TEST_NAMES]);
  });
});

describe('the pairwise test of a new key pair', () => {
  it('passes for every kind of key and fails for a public key of another pair', async () => {
    for (const algorithm of ['SM2', 'EC-P256'] as const) {
      const [one, two] = [
        await KEY_ALGORITHMS[algorithm].generateKeyPair(),
        await KEY_ALGORITHMS[algorithm].generateKeyPair(),
      ];
      assertPairwiseConsistent(parsePkcs8(one.pkcs8));
      await refusal('E_SELF_TEST', () => assertPairwiseConsistent(new PrivateKey(algorithm, two.spki, one.pkcs8)));
    }
  });
});
