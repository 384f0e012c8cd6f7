import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { KEY_ALGORITHMS, signMessage, verifySignature } from '../../src/crypto/algorithms.ts';
import {
  bitString,
  contextExplicit,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  set,
} from '../../src/crypto/asn1/der.ts';
import { OID } from '../../src/crypto/asn1/oids.ts';
import { generateSm2Key, sm2PublicPoint } from '../../src/crypto/gm/sm2-key.ts';
import { ecScalar, encodeSm2Pkcs8, parsePkcs8 } from '../../src/crypto/pkcs8.ts';
import { encodeSm2Spki } from '../../src/crypto/spki.ts';
import { KmcError } from '../../src/errors.ts';
import { refusal } from './refusal.ts';
import { GM, hex, SM2_BAD } from './vectors.ts';

const SCALAR = hex(SM2_BAD.key.privateKeyHex);
const POINT = hex(SM2_BAD.key.publicKeyHex);
const SM2_ALGORITHM = sequence(oid(OID.ecPublicKey), oid(OID.sm2p256v1));

interface EcShape {
  readonly scalar?: Buffer;
  readonly point?: Buffer | undefined;
  readonly curve?: string;
  readonly version?: number;
  readonly algorithm?: Buffer;
}

/** PrivateKeyInfo of an EC key in any shape, right or wrong. */
function ecPkcs8({ scalar = SCALAR, point, curve, version = 1, algorithm = SM2_ALGORITHM }: EcShape): Buffer {
  const parts = [integer(version), octetString(scalar)];
  if (curve !== undefined) parts.push(contextExplicit(0, oid(curve)));
  if (point !== undefined) parts.push(contextExplicit(1, bitString(point)));
  return sequence(integer(0), algorithm, octetString(sequence(...parts)));
}

describe('pkcs8', () => {
  it('reads the plain keys of the vectors, whichever of [0] and [1] is there', () => {
    const vectors = [
      ...GM.cert_keys.map(({ pkcs8_b64: b64, d, source }) => ({ b64, d, source })),
      ...GM.pkcs8
        .filter(({ what }) => what?.includes('PrivateKeyInfo'))
        .map(({ b64, d = '', source }) => ({ b64, d, source })),
    ];
    expect(vectors.length).to.equal(12);
    for (const { b64, d, source } of vectors) {
      const key = parsePkcs8(Buffer.from(b64, 'base64'));
      expect(ecScalar(key).toString('hex'), source).to.equal(d);
      expect(key.spki.equals(encodeSm2Spki(sm2PublicPoint(hex(d)))), source).to.equal(true);
      expect(key.pkcs8.length, source).to.equal(138);
    }
  });

  it('writes the 138 octets that OpenSSL writes', () => {
    const shape = GM.pkcs8.find(({ what }) => what?.includes('OpenSSL 3 shape'));
    expect(encodeSm2Pkcs8(SCALAR, POINT).toString('base64')).to.equal(shape?.b64);
  });

  it('accepts the scalar with 31 to 33 octets when its value is the same', async () => {
    const short = Buffer.concat([Buffer.alloc(1), Buffer.alloc(31, 5)]);
    const expected = encodeSm2Pkcs8(short, sm2PublicPoint(short));
    for (const scalar of [short, short.subarray(1), Buffer.concat([Buffer.alloc(1), short])]) {
      expect(parsePkcs8(ecPkcs8({ scalar })).pkcs8.equals(expected)).to.equal(true);
    }
    await refusal('E_KEY', () => parsePkcs8(ecPkcs8({ scalar: short.subarray(2) })));
    await refusal('E_KEY', () => parsePkcs8(ecPkcs8({ scalar: Buffer.concat([Buffer.from([1]), short]) })));
    await refusal('E_KEY', () => parsePkcs8(ecPkcs8({ scalar: Buffer.concat([Buffer.alloc(2), short]) })));
  });

  for (const { id, hex: scalar } of SM2_BAD.badPrivateKeys) {
    it(`refuses the private key ${id}, with and without a public key beside it (B11)`, async () => {
      await refusal('E_KEY', () => parsePkcs8(ecPkcs8({ scalar: hex(scalar) })));
      await refusal('E_KEY', () => parsePkcs8(ecPkcs8({ scalar: hex(scalar), point: POINT })));
    });
  }

  it('refuses a public key that is not dG, in either form, and a second curve', async () => {
    parsePkcs8(ecPkcs8({ point: POINT, curve: OID.sm2p256v1 }));
    await refusal('E_KEY', () => parsePkcs8(ecPkcs8({ point: generateSm2Key().point })));
    await refusal('E_KEY', () => parsePkcs8(ecPkcs8({ point: hex('00') })));
    await refusal('E_KEY', () => parsePkcs8(ecPkcs8({ curve: OID.prime256v1 })));
  });

  it('refuses other versions, other kinds of key, encrypted keys and trailing elements', async () => {
    await refusal('E_DER', () => parsePkcs8(ecPkcs8({ version: 2 })));
    await refusal('E_KEY', () => parsePkcs8(ecPkcs8({ algorithm: sequence(oid('1.3.101.112')) })));
    await refusal('E_DER', () =>
      parsePkcs8(Buffer.from(GM.pkcs8.find(({ name }) => name === 'k1.pem')!.b64, 'base64')),
    );
    await refusal('E_DER', () => parsePkcs8(sequence(integer(1), SM2_ALGORITHM, octetString(SCALAR))));
    await refusal('E_DER', () => parsePkcs8(sequence(integer(0), SM2_ALGORITHM, octetString(SCALAR), nullValue())));
  });

  it('drops the attributes of a PrivateKeyInfo', () => {
    const plain = encodeSm2Pkcs8(SCALAR, POINT);
    const inner = octetString(plain.subarray(29));
    const attributes = Buffer.from(set());
    attributes[0] = 0xa0;
    const key = parsePkcs8(sequence(integer(0), SM2_ALGORITHM, inner, attributes));
    expect(key.pkcs8.equals(plain)).to.equal(true);
  });

  it('reads P-256 and RSA keys of OpenSSL and keeps them as they are', async () => {
    const p256 = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    for (const privateKey of [p256, rsa]) {
      const der = privateKey.export({ format: 'der', type: 'pkcs8' });
      expect(parsePkcs8(der).pkcs8.equals(der)).to.equal(true);
    }
    await refusal('E_USAGE', () => ecScalar(parsePkcs8(rsa.export({ format: 'der', type: 'pkcs8' }))));
  });

  it('refuses RSA keys whose numbers do not agree', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const der = privateKey.export({ format: 'der', type: 'pkcs8' });
    const jwk = privateKey.export({ format: 'jwk' });
    const numbers = [jwk.n, jwk.e, jwk.d, jwk.p, jwk.q, jwk.dp, jwk.dq, jwk.qi].map((part) =>
      Buffer.from(part ?? '', 'base64url'),
    );
    const rebuilt = (change: (numbers: Buffer[]) => void, version = 0): Buffer => {
      const changed = numbers.map((number) => Buffer.from(number));
      change(changed);
      const key = sequence(integer(version), ...changed.map((number) => integer(number)));
      return sequence(integer(0), sequence(oid(OID.rsaEncryption), nullValue()), octetString(key));
    };
    expect(rebuilt(() => {}).equals(der)).to.equal(true);
    for (let index = 0; index < numbers.length; index += 1) {
      await refusal('E_KEY', () => parsePkcs8(rebuilt((changed) => (changed[index]![0]! ^= 1))));
      await refusal('E_KEY', () => parsePkcs8(rebuilt((changed) => changed[index]!.fill(0))));
    }
    await refusal('E_KEY', () => parsePkcs8(rebuilt(() => {}, 1)));
    const swapped = rebuilt((changed) => {
      [changed[3], changed[4]] = [changed[4]!, changed[3]!];
    });
    await refusal('E_KEY', () => parsePkcs8(swapped));
  });

  it('of any changed octet comes back with the same key or is refused with a KmcError', () => {
    const good = encodeSm2Pkcs8(SCALAR, POINT);
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }), (at, octet) => {
        const changed = Buffer.from(good);
        changed[at] = octet;
        try {
          expect(parsePkcs8(changed).pkcs8.equals(good)).to.equal(true);
        } catch (error) {
          expect(error).to.be.instanceOf(KmcError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('PrivateKey', () => {
  for (const algorithm of Object.values(KEY_ALGORITHMS)) {
    it(`of ${algorithm.name} signs as node:crypto would, and no more after it was destroyed`, async () => {
      const { pkcs8, spki } = await algorithm.generateKeyPair(algorithm.name === 'RSA' ? 2048 : undefined);
      const key = parsePkcs8(pkcs8);
      expect(key.spki.equals(spki)).to.equal(true);
      expect(key.pkcs8.equals(pkcs8)).to.equal(true);
      expect(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).equals(key.keyObject)).to.equal(true);
      const signature = signMessage(algorithm.defaultSignature, key, Buffer.from('message'));
      expect(verifySignature(algorithm.defaultSignature, spki, Buffer.from('message'), signature)).to.equal(true);
      const octets = key.pkcs8;
      key.destroy();
      expect(octets.every((octet) => octet === 0)).to.equal(true);
      await refusal('E_USAGE', () => key.pkcs8);
      await refusal('E_USAGE', () => key.keyObject);
      expect(JSON.stringify(key)).not.to.include('pkcs8');
    });
  }
});
