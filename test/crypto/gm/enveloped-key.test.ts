import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { KmcError } from '../../../src/errors.ts';
import { bitString, children, cursor, decodeDer, nullValue, oid, sequence } from '../../../src/crypto/asn1/der.ts';
import { OID } from '../../../src/crypto/asn1/oids.ts';
import { openEnvelopedKey, packEnvelopedKey } from '../../../src/crypto/gm/enveloped-key.ts';
import { encryptSm2 } from '../../../src/crypto/gm/sm2-encrypt.ts';
import { generateSm2Key, sm2PublicPoint } from '../../../src/crypto/gm/sm2-key.ts';
import { sm4EcbEncrypt } from '../../../src/crypto/gm/sm4.ts';
import { describeForEachSm2Engine } from '../sm2-engines.ts';
import { refusal } from '../refusal.ts';
import { makeKeyEnvelope } from '../../../src/crypto/gm/key-envelope.ts';

const envelopedKey = (...given: Parameters<typeof makeKeyEnvelope>): Buffer =>
  packEnvelopedKey(makeKeyEnvelope(...given));

interface EnvelopedKeyVectors {
  readonly _fixed: { readonly signing_d: string; readonly enc_d: string; readonly enc_P: string };
  readonly items: readonly {
    readonly shape?: string;
    readonly b64?: string;
    readonly sm2_enveloped_key_b64?: string;
  }[];
}

const VECTORS = (
  JSON.parse(readFileSync(new URL('../../vectors/gm-vectors.json', import.meta.url), 'utf8')) as {
    sm2_enveloped_key: EnvelopedKeyVectors;
  }
).sm2_enveloped_key;
const { _fixed: FIXED } = VECTORS;
const RECIPIENT = Buffer.from(FIXED.signing_d, 'hex');
const SHAPES = VECTORS.items.flatMap(({ shape, b64 }) =>
  shape === undefined || b64 === undefined ? [] : [{ shape, der: Buffer.from(b64, 'base64') }],
);

/** An SM2EnvelopedKey with chosen parts; the SM4 key is sixteen octets 5. */
function forged(parts: {
  plain: Buffer;
  point: Buffer;
  key?: Buffer;
  algorithm?: Buffer;
  unusedBits?: number;
}): Buffer {
  const key = parts.key ?? Buffer.alloc(16, 5);
  return sequence(
    parts.algorithm ?? sequence(oid(OID.sm4Ecb), nullValue()),
    encryptSm2(sm2PublicPoint(RECIPIENT), key),
    bitString(parts.point),
    bitString(sm4EcbEncrypt(Buffer.alloc(16, 5), parts.plain), parts.unusedBits),
  );
}

describeForEachSm2Engine('SM2EnvelopedKey', () => {
  for (const { shape, der } of SHAPES) {
    it(`opens the shape "${shape}"`, () => {
      const { scalar, point } = openEnvelopedKey(RECIPIENT, der);
      expect(scalar.toString('hex')).to.equal(FIXED.enc_d);
      expect(point.toString('hex')).to.equal(FIXED.enc_P);
    });
  }

  it('covers the six shapes of the vectors', () => {
    expect(SHAPES).to.have.length(6);
  });

  it('refuses a real envelope for another recipient with E_DECRYPT', async () => {
    const foreign = VECTORS.items.find((item) => item.sm2_enveloped_key_b64 !== undefined);
    const der = Buffer.from(foreign!.sm2_enveloped_key_b64!, 'base64');
    await refusal('E_DECRYPT', () => openEnvelopedKey(RECIPIENT, der));
  });

  it('is written in the shape that practice agrees on and opens again', () => {
    const [recipient, pair] = [generateSm2Key(), generateSm2Key()];
    const der = envelopedKey(pair, recipient.point);
    const recommended = SHAPES[0]!.der;
    const [ours, theirs] = [children(decodeDer(der)), children(decodeDer(recommended))];
    expect(ours[0]!.encoded.equals(theirs[0]!.encoded)).to.equal(true);
    expect(ours[3]!.content).to.have.length(33);
    expect(openEnvelopedKey(recipient.scalar, der)).to.deep.equal(pair);
  });

  it('wraps its SM4 key as openssl decrypts it', () => {
    const directory = mkdtempSync(join(tmpdir(), 'kmc-enveloped-'));
    try {
      // PKCS#8 of the recipient, in the shape without curve or public key inside.
      const ecPrivateKey = Buffer.concat([Buffer.from('302702010104200000', 'hex').subarray(0, 7), RECIPIENT]);
      ecPrivateKey[1] = ecPrivateKey.length - 2;
      const pkcs8 = sequence(
        Buffer.from('020100', 'hex'),
        sequence(oid(OID.ecPublicKey), oid(OID.sm2p256v1)),
        Buffer.concat([Buffer.from([4, ecPrivateKey.length]), ecPrivateKey]),
      );
      const pair = generateSm2Key();
      const fields = cursor(decodeDer(envelopedKey(pair, sm2PublicPoint(RECIPIENT))));
      fields.any('symAlgID');
      writeFileSync(join(directory, 'key.der'), pkcs8);
      writeFileSync(join(directory, 'cipher.der'), fields.any('symEncryptedKey').encoded);
      const key = execFileSync(
        'openssl',
        ['pkeyutl', '-decrypt', '-keyform', 'DER', '-inkey', 'key.der', '-in', 'cipher.der'],
        { cwd: directory },
      );
      fields.any('sm2PublicKey');
      expect(sm4EcbEncrypt(key, pair.scalar).equals(fields.any('private key').content.subarray(1))).to.equal(true);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('gives no key out when dG is not sm2PublicKey, whatever the layout', async () => {
    const [pair, other] = [generateSm2Key(), generateSm2Key()];
    await refusal('E_KEY', () => envelopedKey({ scalar: pair.scalar, point: other.point }, other.point));
    const layouts = [
      pair.scalar,
      Buffer.concat([pair.scalar, Buffer.alloc(16, 16)]),
      Buffer.concat([Buffer.alloc(32), pair.scalar]),
    ];
    for (const plain of layouts) {
      await refusal('E_KEY', () => openEnvelopedKey(RECIPIENT, forged({ plain, point: other.point })));
      expect(openEnvelopedKey(RECIPIENT, forged({ plain, point: pair.point })).scalar.equals(pair.scalar)).to.equal(
        true,
      );
    }
  });

  it('refuses d = 0, n-1, n and 2^256-1 with E_KEY', async () => {
    const { point } = generateSm2Key();
    const n = 'fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d5412';
    for (const d of ['0'.repeat(64), `${n}2`, `${n}3`, 'f'.repeat(64)]) {
      await refusal('E_KEY', () => openEnvelopedKey(RECIPIENT, forged({ plain: Buffer.from(d, 'hex'), point })));
    }
  });

  it('refuses other layouts, other key lengths, algorithms and points', async () => {
    const { scalar, point } = generateSm2Key();
    const open = (parts: Parameters<typeof forged>[0]) => () => openEnvelopedKey(RECIPIENT, forged(parts));
    await refusal('E_DECRYPT', open({ plain: Buffer.concat([scalar, Buffer.alloc(16, 15)]), point }));
    await refusal('E_DECRYPT', open({ plain: Buffer.concat([scalar, scalar]), point }));
    await refusal('E_DECRYPT', open({ plain: Buffer.alloc(16), point }));
    await refusal('E_DECRYPT', open({ plain: scalar, point, key: Buffer.alloc(32, 5) }));
    await refusal('E_DER', open({ plain: scalar, point, algorithm: sequence(oid(OID.sm4Cbc), nullValue()) }));
    await refusal(
      'E_DER',
      open({ plain: scalar, point, algorithm: sequence(oid(OID.sm4Ecb), nullValue(), nullValue()) }),
    );
    for (const wrong of [Buffer.from([0]), point.subarray(0, 33), Buffer.concat([point, Buffer.alloc(1)])]) {
      await refusal('E_POINT', open({ plain: scalar, point: wrong }));
    }
    await refusal('E_POINT', () => envelopedKey({ scalar, point }, Buffer.alloc(65, 4)));
  });

  it('refuses any octets, and any flipped bit, with a KmcError', () => {
    const sample = SHAPES[0]!.der;
    const open = (der: Buffer): void => {
      try {
        openEnvelopedKey(RECIPIENT, der);
      } catch (error) {
        expect(error).to.be.instanceOf(KmcError);
        return;
      }
      throw new Error('An altered envelope opened.');
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (octets) => open(Buffer.from(octets))));
    fc.assert(
      fc.property(fc.nat(sample.length * 8 - 1), (bit) => {
        const flipped = Buffer.from(sample);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        open(flipped);
      }),
      { numRuns: 300 },
    );
  });
});
