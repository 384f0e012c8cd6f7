/** SM2 on one core: the product's own calls against node:crypto alone, JavaScript libraries, BouncyCastle and OpenSSL. */
import { execFileSync } from 'node:child_process';
import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  createSign,
  createVerify,
  generateKeyPairSync,
} from 'node:crypto';
import smCrypto from 'sm-crypto';
import { sm2 as smCryptoV2 } from 'sm-crypto-v2';
import { KEY_ALGORITHMS, SIGNATURE_ALGORITHMS } from '../../src/crypto/algorithms.ts';
import { decryptSm2, encryptSm2 } from '../../src/crypto/gm/sm2-encrypt.ts';
import { generateSm2Keys } from '../../src/crypto/gm/sm2-key.ts';
import { computeZ } from '../../src/crypto/gm/sm2-sign.ts';
import { encodeSm2Pkcs8, parsePkcs8 } from '../../src/crypto/pkcs8.ts';
import { encodeSm2Spki, importPublicKey } from '../../src/crypto/spki.ts';
import { compare, median, summarize, type Benchmark, type BenchOptions, type Measurement } from './harness.ts';
import type { Operation, RatedPeer } from './harness.ts';
import { bouncyCastle, opensslSpeed } from './programs.ts';

const MESSAGE = Buffer.alloc(500, 0x4b);
const PLAIN = Buffer.alloc(64, 0x4d);
/** Key pairs made at a time. */
const BATCH = 128;
const KERNEL = new URL('../../dist/crypto/kernel/kernel.js', import.meta.url);

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
    v2Sign: () => smCryptoV2.doSignature(MESSAGE, hexKey, options),
    v2Verify: () => smCryptoV2.doVerifySignature(MESSAGE, theirs, hexPoint, { hash: true, der: true }),
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
    v2Encrypt: () => smCryptoV2.doEncrypt(PLAIN, hexPoint, 1),
    v2Decrypt: () => smCryptoV2.doDecrypt(theirs, hexKey, 1, { output: 'array' }),
  };
}

function nodeKeyPair(): Buffer {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'SM2' });
  return privateKey.export({ format: 'der', type: 'pkcs8' });
}

/** A batch of key pairs as the key pool makes them, with PKCS#8 and SPKI. */
function keyPairs(): void {
  for (const { scalar, point } of generateSm2Keys(BATCH)) {
    encodeSm2Pkcs8(scalar, point).fill(0);
    encodeSm2Spki(point);
    scalar.fill(0);
  }
}

/** Milliseconds in which a new process reads, compiles and starts the kernel and its table. */
function kernelStart({ quick }: BenchOptions): Measurement {
  const script = `const { instantiateKernel } = await import('${KERNEL.href}');
    const [start, used] = [performance.now(), process.cpuUsage()];
    instantiateKernel();
    const { user, system } = process.cpuUsage(used);
    console.log(JSON.stringify([performance.now() - start, (user + system) / 1000]));`;
  const rounds = quick ? 5 : 15;
  const started = Array.from({ length: rounds }, (): [number, number] => {
    const printed = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
    return JSON.parse(printed) as [number, number];
  });
  const own = started.map(([milliseconds]) => milliseconds);
  return { ...summarize(own, 'ms', rounds, {}, false), cpuMs: median(started.map(([, cpu]) => cpu)) };
}

interface Prepared {
  readonly ours: Operation;
  readonly peers: Record<string, Operation | RatedPeer>;
  /** Operations in one call of ours. */
  readonly batch?: number;
}

function benchmark(name: string, what: string, prepare: () => Promise<Prepared>): Benchmark {
  return {
    name,
    what,
    async run(options) {
      const { ours, peers, batch } = await prepare();
      return compare(ours, peers, options, batch);
    },
  };
}

export const sm2Benchmarks: readonly Benchmark[] = [
  benchmark(
    'sm2.sign',
    'SM3 and signature over 500 octets; node = createSign alone; openssl = digest given',
    async () => {
      const s = await signing();
      const libraries = { node: s.nodeSign, 'sm-crypto': s.peerSign, 'sm-crypto-v2': s.v2Sign };
      return { ours: s.sign, peers: { ...libraries, ...opensslSpeed('sign'), ...(await bouncyCastle('sign')) } };
    },
  ),
  benchmark(
    'sm2.verify',
    'SM3 and verification over 500 octets; node = createVerify alone; openssl = digest given',
    async () => {
      const s = await signing();
      const libraries = { node: s.nodeVerify, 'sm-crypto': s.peerVerify, 'sm-crypto-v2': s.v2Verify };
      return { ours: s.verify, peers: { ...libraries, ...opensslSpeed('verify'), ...(await bouncyCastle('verify')) } };
    },
  ),
  benchmark(
    'sm2.keygen',
    `key pairs with PKCS#8 and SPKI DER, ${BATCH} at a time; "one by one" = ours so; node = generateKeyPairSync and export`,
    async () => ({
      ours: keyPairs,
      batch: BATCH,
      peers: {
        node: nodeKeyPair,
        'sm-crypto': () => smCrypto.sm2.generateKeyPairHex(),
        'sm-crypto-v2': () => smCryptoV2.generateKeyPairHex(),
        'one by one': () => KEY_ALGORITHMS.SM2.generateKeyPair(),
        ...(await bouncyCastle('keygen')),
      },
    }),
  ),
  benchmark('sm2.encrypt', '64 octets to DER SM2Cipher', async () => {
    const c = await ciphering();
    const libraries = { 'sm-crypto': c.peerEncrypt, 'sm-crypto-v2': c.v2Encrypt };
    return { ours: c.encrypt, peers: { ...libraries, ...(await bouncyCastle('encrypt')) } };
  }),
  benchmark('sm2.decrypt', '64 octets from DER SM2Cipher', async () => {
    const c = await ciphering();
    const libraries = { 'sm-crypto': c.peerDecrypt, 'sm-crypto-v2': c.v2Decrypt };
    return { ours: c.decrypt, peers: { ...libraries, ...(await bouncyCastle('decrypt')) } };
  }),
  {
    name: 'sm2.kernel.start',
    what: 'the SM2 kernel of the built program in a new process: read, compiled, started, its table in place',
    run: (options) => Promise.resolve(kernelStart(options)),
  },
];
