import { createHash, createSign } from 'node:crypto';
import { expect } from 'chai';
import {
  defaultSignatureOf,
  KEY_ALGORITHMS,
  SIGNATURE_ALGORITHMS,
  signatureAlgorithmFromIdentifier,
  signMessage,
  verifyIndependently,
  verifySignature,
} from '../../src/crypto/algorithms.ts';
import type { KeyAlgorithmName, SignatureAlgorithmName } from '../../src/crypto/algorithms.ts';
import { bitString, nullValue, oid, sequence } from '../../src/crypto/asn1/der.ts';
import { OID } from '../../src/crypto/asn1/oids.ts';
import { parsePkcs8 } from '../../src/crypto/pkcs8.ts';
import type { PrivateKey } from '../../src/crypto/private-key.ts';
import { refusal } from './refusal.ts';
import { hex } from './vectors.ts';

const MESSAGE = Buffer.from('message');

describe('algorithms', () => {
  const keys = new Map<KeyAlgorithmName, PrivateKey>();
  before(async () => {
    for (const { name, generateKeyPair } of Object.values(KEY_ALGORITHMS)) {
      keys.set(name, parsePkcs8((await generateKeyPair(name === 'RSA' ? 2048 : undefined)).pkcs8));
    }
  });

  it('have their own name, and numbers that no two share', () => {
    for (const [name, algorithm] of Object.entries(KEY_ALGORITHMS)) expect(algorithm.name).to.equal(name);
    for (const [name, algorithm] of Object.entries(SIGNATURE_ALGORITHMS)) expect(algorithm.name).to.equal(name);
    const numbers = Object.values(KEY_ALGORITHMS).map(({ blobNumber }) => blobNumber);
    expect(numbers).to.deep.equal([1, 2, 3]);
    for (const { signatures, defaultSignature, jsonSignature } of Object.values(KEY_ALGORITHMS)) {
      expect(signatures).to.include.members([defaultSignature, jsonSignature]);
    }
    const listed = Object.values(KEY_ALGORITHMS).flatMap(({ signatures }) => signatures);
    expect([...listed].sort()).to.deep.equal(Object.keys(SIGNATURE_ALGORITHMS).sort());
  });

  it('are found by every identifier that is accepted, and by no other', async () => {
    for (const algorithm of Object.values(SIGNATURE_ALGORITHMS)) {
      expect(algorithm.acceptedIdentifiers[0]!.equals(algorithm.identifier)).to.equal(true);
      for (const identifier of algorithm.acceptedIdentifiers) {
        expect(signatureAlgorithmFromIdentifier(identifier)).to.equal(algorithm);
      }
    }
    const refused = [
      sequence(oid(OID.sm2SignWithSm3), oid(OID.sm2p256v1)),
      sequence(oid(OID.sm2SignWithSha256)),
      sequence(oid(OID.ecdsaWithSha256), nullValue()),
      sequence(oid(OID.rsassaPss)),
      sequence(oid(OID.rsassaPss), sequence()),
      Buffer.alloc(0),
    ];
    for (const identifier of refused) {
      await refusal('E_SIGNATURE', () => signatureAlgorithmFromIdentifier(identifier));
    }
  });

  it('write the identifiers that others write', () => {
    expect(SIGNATURE_ALGORITHMS['SM2-SM3'].identifier.toString('hex')).to.equal('300a06082a811ccf55018375');
    // RFC 4055, as written by OpenSSL for PSS with SHA-256 and a salt of 32.
    const pss =
      '304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108' +
      '300d06096086480165030402010500a203020120';
    expect(SIGNATURE_ALGORITHMS['RSA-PSS-SHA256'].identifier.equals(hex(pss))).to.equal(true);
  });

  for (const name of Object.keys(SIGNATURE_ALGORITHMS) as SignatureAlgorithmName[]) {
    const algorithm = SIGNATURE_ALGORITHMS[name];
    if (name === 'RSA-SHA1') continue;

    it(`${name} signs and verifies, and goes to its raw form and back`, () => {
      const key = keys.get(algorithm.keyAlgorithm)!;
      const signature = signMessage(name, key, MESSAGE);
      expect(verifySignature(name, key.spki, MESSAGE, signature)).to.equal(true);
      expect(verifySignature(name, key.spki, Buffer.from('other'), signature)).to.equal(false);
      const raw = algorithm.toRaw(signature);
      expect(raw.length).to.equal(algorithm.keyAlgorithm === 'RSA' ? 256 : 64);
      expect(algorithm.fromRaw(raw).equals(signature)).to.equal(true);
      for (const other of keys.values()) {
        if (other !== key) expect(verifySignature(name, other.spki, MESSAGE, signature)).to.equal(false);
      }
    });

    it(`${name} does not sign with keys of another kind`, async () => {
      for (const key of keys.values()) {
        if (key.algorithm !== algorithm.keyAlgorithm) await refusal('E_USAGE', () => signMessage(name, key, MESSAGE));
      }
    });
  }

  for (const name of ['SM2-SM3', 'ECDSA-P256-SHA256'] as const) {
    it(`${name} has a second implementation that gives the same verdict`, () => {
      const key = keys.get(SIGNATURE_ALGORITHMS[name].keyAlgorithm)!;
      const signature = signMessage(name, key, MESSAGE);
      expect(verifyIndependently(name, key.spki, MESSAGE, signature)).to.equal(true);
      expect(verifyIndependently(name, key.spki, Buffer.from('other'), signature)).to.equal(false);
      expect(verifyIndependently(name, keys.get('RSA')!.spki, MESSAGE, signature)).to.equal(false);
    });
  }

  it('have no second implementation of RSA', async () => {
    const key = keys.get('RSA')!;
    await refusal('E_USAGE', () => verifyIndependently('RSA-SHA256', key.spki, MESSAGE, Buffer.alloc(256)));
  });

  it('verify RSA with SHA-1 and never sign with it', async () => {
    const key = keys.get('RSA')!;
    const signature = createSign('sha1').update(MESSAGE).sign(key.keyObject);
    expect(verifySignature('RSA-SHA1', key.spki, MESSAGE, signature)).to.equal(true);
    expect(verifySignature('RSA-SHA256', key.spki, MESSAGE, signature)).to.equal(false);
    await refusal('E_USAGE', () => signMessage('RSA-SHA1', key, MESSAGE));
  });

  it('know what signs by default for a public key', () => {
    expect(defaultSignatureOf(keys.get('SM2')!.spki).name).to.equal('SM2-SM3');
    expect(defaultSignatureOf(keys.get('EC-P256')!.spki).name).to.equal('ECDSA-P256-SHA256');
    expect(defaultSignatureOf(keys.get('RSA')!.spki).name).to.equal('RSA-SHA256');
  });

  it('answer with an error when the key is at fault and with false when the signature is', async () => {
    const { spki } = keys.get('SM2')!;
    expect(verifySignature('SM2-SM3', spki, MESSAGE, createHash('sha512').digest())).to.equal(false);
    await refusal('E_DER', () => verifySignature('SM2-SM3', spki.subarray(1), MESSAGE, Buffer.alloc(0)));
    const infinity = sequence(sequence(oid(OID.ecPublicKey), oid(OID.sm2p256v1)), bitString(Buffer.alloc(1)));
    await refusal('E_POINT', () => verifySignature('SM2-SM3', infinity, MESSAGE, Buffer.alloc(0)));
  });
});
