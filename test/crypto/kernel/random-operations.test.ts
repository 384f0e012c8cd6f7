/** Random operations of the kernel against node:crypto and sm-crypto: a sample here, a million in the long run. */
import { createECDH, createPrivateKey, createPublicKey, createSign, createVerify, randomInt } from 'node:crypto';
import { expect } from 'chai';
import smCrypto from 'sm-crypto';
import { decryptSm2, encryptSm2 } from '../../../src/crypto/gm/sm2-encrypt.ts';
import { generateSm2Keys } from '../../../src/crypto/gm/sm2-key.ts';
import { computeZ, signSm2, verifySm2 } from '../../../src/crypto/gm/sm2-sign.ts';
import { instantiateKernel } from '../../../src/crypto/kernel/kernel.ts';
import { encodeSm2Pkcs8, parsePkcs8, sm2SigningKey } from '../../../src/crypto/pkcs8.ts';
import { randomBytes } from '../../../src/crypto/random.ts';
import { encodeSm2Spki, importPublicKey } from '../../../src/crypto/spki.ts';

// KMC_TEST_LONG stands in `npm run test:long`.
const LONG = process.env['KMC_TEST_LONG'] !== undefined;
const AGAINST_NODE = LONG ? 1_000_000 : 20_000;
const AGAINST_SM_CRYPTO = LONG ? 20_000 : 300;
const { exports, memory } = instantiateKernel();
/** Operations for each key pair. */
const FOR_A_PAIR = 20;
const INPUT = 0x20000;
const OUTPUT = 0x31000;

interface Pair {
  readonly scalar: Buffer;
  readonly point: Buffer;
}

/** Each is one operation whose result another implementation must share. */
type Operation = (message: Buffer) => boolean;

function againstNode({ scalar, point }: Pair): Operation[] {
  const pkcs8 = encodeSm2Pkcs8(scalar, point);
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey({ key: encodeSm2Spki(point), format: 'der', type: 'spki' });
  const ours = sm2SigningKey(parsePkcs8(pkcs8));
  const imported = importPublicKey(encodeSm2Spki(point));
  const z = computeZ(point);
  const ecdh = createECDH('SM2');
  ecdh.setPrivateKey(scalar);
  return [
    () => generateSm2Keys(1).every((pair) => isPairOfNode(pair)),
    (message) => createVerify('sm3').update(z).update(message).verify(publicKey, signSm2(ours, message)),
    (message) => verifySm2(imported, message, createSign('sm3').update(z).update(message).sign(privateKey)),
    (message) => !createVerify('sm3').update(z).update(message).update('x').verify(publicKey, signSm2(ours, message)),
    () => {
      const [other] = generateSm2Keys(1);
      scalar.copy(memory, INPUT);
      other!.point.copy(memory, INPUT + 32, 1);
      exports.pointMultiples(1);
      return memory.subarray(OUTPUT, OUTPUT + 32).equals(ecdh.computeSecret(other!.point));
    },
  ];
}

function isPairOfNode({ scalar, point }: Pair): boolean {
  const ecdh = createECDH('SM2');
  ecdh.setPrivateKey(scalar);
  return ecdh.getPublicKey().equals(point);
}

function againstSmCrypto({ scalar, point }: Pair): Operation[] {
  const ours = sm2SigningKey(parsePkcs8(encodeSm2Pkcs8(scalar, point)));
  const imported = importPublicKey(encodeSm2Spki(point));
  const [privateHex, publicHex] = [scalar.toString('hex'), point.toString('hex')];
  const options = { hash: true, der: true };
  const theirMessage = (message: Buffer): number[] => [1, ...message];
  return [
    (message) =>
      smCrypto.sm2.doVerifySignature([...message], signSm2(ours, message).toString('hex'), publicHex, options),
    (message) =>
      verifySm2(imported, message, Buffer.from(smCrypto.sm2.doSignature([...message], privateHex, options), 'hex')),
    (message) => {
      const plain = theirMessage(message);
      const ciphertext = encryptSm2(point, Buffer.from(plain), 'C1C3C2-bare').toString('hex');
      return Buffer.from(smCrypto.sm2.doDecrypt(ciphertext, privateHex, 1, { output: 'array' })).equals(
        Buffer.from(plain),
      );
    },
    (message) => {
      const plain = theirMessage(message);
      const ciphertext = Buffer.from(smCrypto.sm2.doEncrypt(plain, publicHex, 1), 'hex');
      return decryptSm2(scalar, ciphertext, 'C1C3C2-bare').equals(Buffer.from(plain));
    },
  ];
}

function runAll(count: number, operationsOf: (pair: Pair) => Operation[]): void {
  for (let done = 0; done < count;) {
    const [pair] = generateSm2Keys(1);
    const operations = operationsOf(pair!);
    for (let index = 0; index < FOR_A_PAIR && done < count; index += 1, done += 1) {
      const message = randomBytes(randomInt(1, 300));
      const agrees = operations[done % operations.length]!(message);
      if (!agrees) expect.fail(`operation ${done % operations.length} differs for ${message.toString('hex')}`);
    }
  }
}

describe('random operations of the SM2 kernel', () => {
  it(`${AGAINST_NODE} agree with node:crypto`, () => runAll(AGAINST_NODE, againstNode)).timeout(LONG ? 0 : 120_000);

  it(`${AGAINST_SM_CRYPTO} agree with sm-crypto`, () => runAll(AGAINST_SM_CRYPTO, againstSmCrypto)).timeout(
    LONG ? 0 : 120_000,
  );
});
