import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { bitString, nullValue, oid, sequence } from '../../src/crypto/asn1/der.ts';
import { OID } from '../../src/crypto/asn1/oids.ts';
import { sm3 } from '../../src/crypto/gm/sm3.ts';
import { SM2_BASE_POINT } from '../../src/crypto/gm/sm2-curve.ts';
import { generateP256Key } from '../../src/crypto/legacy/ecdsa.ts';
import {
  encodeP256Spki,
  encodeRsaSpki,
  encodeSm2Spki,
  importPublicKey,
  keyIdentifierSha1,
  parseSpki,
  sm2PointFromSpki,
  spkiSm3,
} from '../../src/crypto/spki.ts';
import { KmcError } from '../../src/errors.ts';
import { refusal } from './refusal.ts';
import { GM, hex, SM2_BAD } from './vectors.ts';

const STANDARD_POINT = hex(SM2_BAD.key.publicKeyHex);
const VECTOR_SPKIS = GM.pkcs8.filter(({ what }) => /SubjectPublicKeyInfo|SPKI/.test(what ?? ''));

/** An SPKI of any OIDs around any key. */
function spkiOf(algorithm: Buffer, key: Buffer): Buffer {
  return sequence(algorithm, bitString(key));
}

const SM2_ALGORITHM = sequence(oid(OID.ecPublicKey), oid(OID.sm2p256v1));

describe('subjectPublicKeyInfo', () => {
  it('of SM2 is read with both OIDs and written with ecPublicKey', () => {
    expect(VECTOR_SPKIS.length).to.equal(2);
    for (const { b64, P } of VECTOR_SPKIS) {
      const der = Buffer.from(b64, 'base64');
      const info = parseSpki(der);
      expect(info.algorithm).to.equal('SM2');
      expect(info.keyBits.toString('hex')).to.equal(P);
      expect(sm2PointFromSpki(der).toString('hex')).to.equal(P);
    }
    expect(encodeSm2Spki(STANDARD_POINT).toString('hex')).to.equal(SM2_BAD.key.spkiDerHex);
    expect(encodeSm2Spki(STANDARD_POINT).toString('base64')).to.equal(VECTOR_SPKIS[0]!.b64);
  });

  it('of P-256 and RSA is read and written as OpenSSL writes it', () => {
    const p256 = encodeP256Spki(generateP256Key().point);
    const exported = createPublicKey({ key: p256, format: 'der', type: 'spki' });
    expect(exported.export({ format: 'der', type: 'spki' }).equals(p256)).to.equal(true);
    expect(parseSpki(p256).algorithm).to.equal('EC-P256');
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const rsa = publicKey.export({ format: 'der', type: 'spki' });
    const info = parseSpki(rsa);
    expect(info.algorithm).to.equal('RSA');
    expect(info.rsa?.n.length).to.equal(256);
    expect(encodeRsaSpki(info.rsa!).equals(rsa)).to.equal(true);
  });

  it('gives the names of a key: SM3 over the DER, SHA-1 over the key bits', () => {
    const spki = encodeSm2Spki(STANDARD_POINT);
    expect(spkiSm3(spki)).to.equal(`sm3:${sm3(spki).toString('hex')}`);
    expect(keyIdentifierSha1(spki).equals(createHash('sha1').update(STANDARD_POINT).digest())).to.equal(true);
  });

  for (const { id, hex: point } of SM2_BAD.badPublicKeys) {
    it(`is refused with the point ${id} (A15, T3)`, () =>
      refusal('E_POINT', () => importPublicKey(spkiOf(SM2_ALGORITHM, hex(point)))));
  }

  it('is refused with a curve that does not fit, without curve, with parameters beside, or of other algorithms', async () => {
    const p256Algorithm = sequence(oid(OID.ecPublicKey), oid(OID.prime256v1));
    await refusal('E_POINT', () => parseSpki(spkiOf(p256Algorithm, SM2_BASE_POINT)));
    const wrong = [
      sequence(oid(OID.ecPublicKey)),
      sequence(oid(OID.ecPublicKey), nullValue()),
      sequence(oid(OID.ecPublicKey), sequence(oid(OID.sm2p256v1))),
      sequence(oid(OID.ecPublicKey), oid(OID.sm2p256v1), nullValue()),
      sequence(oid(OID.sm2p256v1)),
      sequence(oid(OID.rsaEncryption)),
      sequence(oid(OID.rsassaPss), nullValue()),
      sequence(oid('1.3.101.112')),
    ];
    for (const algorithm of wrong) await refusal('E_KEY', () => parseSpki(spkiOf(algorithm, SM2_BASE_POINT)));
  });

  it('is refused with explicit curve parameters (A15)', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1', paramEncoding: 'explicit' });
    await refusal('E_KEY', () => parseSpki(publicKey.export({ format: 'der', type: 'spki' })));
  });

  it('is refused with unused bits, trailing octets or another outer type', async () => {
    const spki = encodeSm2Spki(STANDARD_POINT);
    await refusal('E_DER', () => parseSpki(Buffer.concat([spki, Buffer.alloc(1)])));
    const padded = Buffer.concat([STANDARD_POINT.subarray(0, 64), Buffer.from([STANDARD_POINT[64]! & 0xfe])]);
    await refusal('E_DER', () => parseSpki(sequence(SM2_ALGORITHM, bitString(padded, 1))));
    const set = Buffer.from(spki);
    set[0] = 0x31;
    await refusal('E_DER', () => parseSpki(set));
  });

  it('of RSA is refused for other exponents and sizes (A14)', async () => {
    const modulus = Buffer.alloc(256, 0xff);
    for (const e of [1, 2, 3, 65_536, 2 ** 40]) {
      await refusal('E_KEY', () =>
        encodeRsaSpki({ n: modulus, e: Buffer.from(e.toString(16).padStart(12, '0'), 'hex') }),
      );
    }
    const e = Buffer.from([1, 0, 1]);
    const even = Buffer.from(modulus);
    even[255] = 0xfe;
    await refusal('E_KEY', () => encodeRsaSpki({ n: even, e }));
    await refusal('E_KEY', () => encodeRsaSpki({ n: Buffer.alloc(127, 0xff), e }));
    for (const octets of [2048, 4096]) {
      const der = sequence(sequence(oid(OID.rsaEncryption), nullValue()), bitString(rsaKey(octets)));
      await refusal('E_DER', () => parseSpki(der)).catch(() => refusal('E_SIZE', () => parseSpki(der)));
    }
  });

  it('of any changed octets is read as it is or refused with a KmcError', () => {
    const good = encodeSm2Spki(STANDARD_POINT);
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }), (at, octet) => {
        const changed = Buffer.from(good);
        changed[at] = octet;
        try {
          expect(encodeSm2Spki(sm2PointFromSpki(changed)).equals(changed)).to.equal(true);
        } catch (error) {
          expect(error).to.be.instanceOf(KmcError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

function rsaKey(octets: number): Buffer {
  const length = Buffer.from([octets >> 8, octets & 0xff]);
  const modulus = Buffer.concat([
    Buffer.from([0x02, 0x82]),
    length,
    Buffer.from([0x7f]),
    Buffer.alloc(octets - 1, 0xff),
  ]);
  return sequence(modulus, Buffer.from('0203010001', 'hex'));
}

describe('importPublicKey', () => {
  it('gives the same object for the same SPKI, even when the Buffer it was read from changes', () => {
    const spki = encodeSm2Spki(STANDARD_POINT);
    const first = importPublicKey(spki);
    const copy = Buffer.from(spki);
    spki.fill(0);
    expect(importPublicKey(copy)).to.equal(first);
    expect(first.info.keyBits.equals(STANDARD_POINT)).to.equal(true);
  });

  it('forgets the key that was longest unused', () => {
    const kept = encodeP256Spki(generateP256Key().point);
    const forgotten = encodeP256Spki(generateP256Key().point);
    const [keptKey, forgottenKey] = [importPublicKey(kept), importPublicKey(forgotten)];
    for (let index = 0; index < 1023; index += 1) {
      importPublicKey(encodeP256Spki(generateP256Key().point));
      importPublicKey(kept);
    }
    expect(importPublicKey(kept)).to.equal(keptKey);
    expect(importPublicKey(forgotten)).not.to.equal(forgottenKey);
  });
});
