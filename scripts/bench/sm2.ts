/** SM2 on one core: the product's own calls against node:crypto alone and against sm-crypto. */
import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  createSign,
  createVerify,
  generateKeyPairSync,
} from 'node:crypto';
import smCrypto from 'sm-crypto';
import { KEY_ALGORITHMS, SIGNATURE_ALGORITHMS } from '../../src/crypto/algorithms.ts';
import { decryptSm2, encryptSm2 } from '../../src/crypto/gm/sm2-encrypt.ts';
import { computeZ } from '../../src/crypto/gm/sm2-sign.ts';
import { parsePkcs8 } from '../../src/crypto/pkcs8.ts';
import { importPublicKey } from '../../src/crypto/spki.ts';
import { compare, type Benchmark, type Operation } from './harness.ts';

const MESSAGE = Buffer.alloc(500, 0x4b);
const PLAIN = Buffer.alloc(64, 0x4d);

async function fixture() {
  const { pkcs8, spki } = await KEY_ALGORITHMS.SM2.generateKeyPair();
  const copy = Buffer.from(pkcs8);
  const key = parsePkcs8(pkcs8);
  const publicKey = importPublicKey(spki);
  const point = publicKey.info.keyBits;
  const scalar = copy.subarray(copy.length - 102, copy.length - 70);
  return { key, publicKey, point, scalar, pkcs8: copy, spki };
}

/** The scalar's place in the PKCS#8 is checked, so that a change of the encoding cannot make the benchmark measure nonsense. */
function checkScalar(scalar: Buffer, point: Buffer): void {
  const ecdh = createECDH('SM2');
  ecdh.setPrivateKey(scalar);
  if (!ecdh.getPublicKey().equals(point)) throw new Error('the benchmark lost track of the private scalar');
}

async function signing() {
  const { key, publicKey, point, scalar, pkcs8, spki } = await fixture();
  checkScalar(scalar, point);
  const nodePrivate = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const nodePublic = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  const z = computeZ(point);
  const algorithm = SIGNATURE_ALGORITHMS['SM2-SM3'];
  const signature = algorithm.sign(key, MESSAGE);
  const hexKey = scalar.toString('hex');
  const hexPoint = point.toString('hex');
  const message = [...MESSAGE];
  const options = { hash: true, der: true, publicKey: hexPoint };
  const theirs = smCrypto.sm2.doSignature(message, hexKey, options);
  return {
    sign: () => algorithm.sign(key, MESSAGE),
    verify: () => algorithm.verify(publicKey, MESSAGE, signature),
    nodeSign: () => createSign('sm3').update(z).update(MESSAGE).sign(nodePrivate),
    nodeVerify: () => createVerify('sm3').update(z).update(MESSAGE).verify(nodePublic, signature),
    peerSign: () => smCrypto.sm2.doSignature(message, hexKey, options),
    peerVerify: () => smCrypto.sm2.doVerifySignature(message, theirs, hexPoint, { hash: true, der: true }),
  };
}

async function ciphering() {
  const { point, scalar } = await fixture();
  checkScalar(scalar, point);
  const ciphertext = encryptSm2(point, PLAIN);
  const hexPoint = point.toString('hex');
  const hexKey = scalar.toString('hex');
  const plain = [...PLAIN];
  const theirs = smCrypto.sm2.doEncrypt(plain, hexPoint, 1);
  return {
    encrypt: () => encryptSm2(point, PLAIN),
    decrypt: () => decryptSm2(scalar, ciphertext),
    peerEncrypt: () => smCrypto.sm2.doEncrypt(plain, hexPoint, 1),
    peerDecrypt: () => smCrypto.sm2.doDecrypt(theirs, hexKey, 1, { output: 'array' }),
  };
}

function nodeKeyPair(): Buffer {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'SM2' });
  return privateKey.export({ format: 'der', type: 'pkcs8' });
}

function benchmark(
  name: string,
  what: string,
  prepare: () => Promise<[Operation, Record<string, Operation>]>,
): Benchmark {
  return {
    name,
    what,
    async run(options) {
      const [ours, peers] = await prepare();
      return compare(ours, peers, options);
    },
  };
}

export const sm2Benchmarks: readonly Benchmark[] = [
  benchmark('sm2.sign', 'Z, SM3 and signature over 500 octets; node = createSign alone', async () => {
    const s = await signing();
    return [s.sign, { node: s.nodeSign, 'sm-crypto': s.peerSign }];
  }),
  benchmark('sm2.verify', 'Z, SM3 and verification over 500 octets; node = createVerify alone', async () => {
    const s = await signing();
    return [s.verify, { node: s.nodeVerify, 'sm-crypto': s.peerVerify }];
  }),
  benchmark('sm2.keygen', 'key pair with its PKCS#8 and SPKI DER; node = generateKeyPairSync and export', async () => [
    () => KEY_ALGORITHMS.SM2.generateKeyPair(),
    { node: nodeKeyPair, 'sm-crypto': () => smCrypto.sm2.generateKeyPairHex() },
  ]),
  benchmark('sm2.encrypt', '64 octets to DER SM2Cipher', async () => {
    const c = await ciphering();
    return [c.encrypt, { 'sm-crypto': c.peerEncrypt }];
  }),
  benchmark('sm2.decrypt', '64 octets from DER SM2Cipher', async () => {
    const c = await ciphering();
    return [c.decrypt, { 'sm-crypto': c.peerDecrypt }];
  }),
];
