/** SignedAndEnvelopedData of GM/T 0010 with a private key: a real package, a computed one, properties, refusals. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { verifySignature } from '../../../src/crypto/algorithms.ts';
import { OID } from '../../../src/crypto/asn1/oids.ts';
import { packEnvelopedKey, openEnvelopedKey } from '../../../src/crypto/gm/enveloped-key.ts';
import { openSignedEnvelopedKey, parseSignedEnvelopedKey } from '../../../src/crypto/gm/signed-enveloped-key.ts';
import {
  encodeSignedAndEnveloped,
  parseSignedAndEnveloped,
  wrapSignedAndEnveloped,
} from '../../../src/crypto/gm/signed-enveloped.ts';
import { decryptSm2 } from '../../../src/crypto/gm/sm2-encrypt.ts';
import { sm2PublicPoint } from '../../../src/crypto/gm/sm2-key.ts';
import { encodeSm2Spki } from '../../../src/crypto/spki.ts';
import { KmcError } from '../../../src/errors.ts';
import { parseCertificate } from '../../../src/x509/certificate.ts';
import { refusal } from '../refusal.ts';

const VECTORS = JSON.parse(readFileSync(new URL('../../vectors/gm-vectors.json', import.meta.url), 'utf8')) as {
  readonly gm_cms: readonly {
    readonly what: string;
    readonly b64: string;
    readonly recipient_d?: string;
    readonly sm4_key?: string;
    readonly enc_d?: string;
  }[];
  readonly gmt0014: readonly {
    readonly recipient_d?: string;
    readonly kmc_d?: string;
    readonly sm4_key?: string;
    readonly plaintext?: string;
    readonly b64_bare?: string;
    readonly b64_with_ContentInfo?: string;
  }[];
};
const REAL = VECTORS.gm_cms[0]!;
const REAL_AS_IS = Buffer.from(REAL.b64, 'base64');
/** The issuer of its recipient is written 00 00, which is no DER; an empty SEQUENCE stands in its place here. */
const REAL_DER = Buffer.from(REAL_AS_IS.toString('hex').replace('300c00000208', '300c30000208'), 'hex');
const OURS = VECTORS.gmt0014[1]!;
const OURS_BARE = Buffer.from(OURS.b64_bare!, 'base64');
const OURS_WRAPPED = Buffer.from(OURS.b64_with_ContentInfo!, 'base64');
const RECIPIENT = Buffer.from(OURS.recipient_d!, 'hex');
const ENC_SCALAR = Buffer.from(OURS.plaintext!, 'hex').subarray(32);
const ENC_POINT = sm2PublicPoint(ENC_SCALAR);

const signedBy =
  (spki: Buffer) =>
  (content: Buffer, signature: Buffer): boolean =>
    verifySignature('SM2-SM3', spki, content, signature);
const KMC = signedBy(encodeSm2Spki(sm2PublicPoint(Buffer.from(OURS.kmc_d!, 'hex'))));

describe('SignedAndEnvelopedData of GM/T 0010', () => {
  it('opens a package that a public CA handed out, its empty issuer corrected, under the certificate in it', () => {
    const { certificates, recipient } = parseSignedAndEnveloped(REAL_DER);
    const scalar = Buffer.from(REAL.recipient_d!, 'hex');
    const expected = Buffer.from(REAL.enc_d!, 'hex');
    expect(decryptSm2(scalar, recipient.encryptedKey).toString('hex')).to.equal(REAL.sm4_key);
    const verify = signedBy(parseCertificate(certificates[0]!).spki);
    const opened = openSignedEnvelopedKey(scalar, REAL_DER, sm2PublicPoint(expected), verify);
    expect(opened.scalar.equals(expected)).to.equal(true);
  });

  it('refuses that package as it stands, since its empty issuer is not DER', async () => {
    expect(REAL_AS_IS.equals(REAL_DER)).to.equal(false);
    await refusal('E_DER', () => parseSignedAndEnveloped(REAL_AS_IS));
  });

  it('opens the computed package with and without ContentInfo', () => {
    for (const der of [OURS_BARE, OURS_WRAPPED]) {
      const opened = openSignedEnvelopedKey(RECIPIENT, der, ENC_POINT, KMC);
      expect(opened.scalar.equals(ENC_SCALAR)).to.equal(true);
    }
  });

  it('writes both packages back octet by octet', () => {
    expect(encodeSignedAndEnveloped(parseSignedAndEnveloped(OURS_BARE)).equals(OURS_BARE)).to.equal(true);
    expect(wrapSignedAndEnveloped(OURS_BARE).equals(OURS_WRAPPED)).to.equal(true);
    expect(
      wrapSignedAndEnveloped(encodeSignedAndEnveloped(parseSignedAndEnveloped(REAL_DER))).equals(REAL_DER),
    ).to.equal(true);
  });

  it('reads RecipientInfo version 0, as one CA writes it', () => {
    const { identifier } = parseSignedAndEnveloped(OURS_BARE).recipient;
    const at = OURS_BARE.indexOf(Buffer.concat([Buffer.from('020101', 'hex'), identifier]));
    const older = Buffer.from(OURS_BARE);
    older[at + 2] = 0;
    expect(openSignedEnvelopedKey(RECIPIENT, older, ENC_POINT, KMC).scalar.equals(ENC_SCALAR)).to.equal(true);
  });

  it('can be packed anew as SM2EnvelopedKey without any key', () => {
    const envelopedKey = packEnvelopedKey(parseSignedEnvelopedKey(OURS_WRAPPED, ENC_POINT));
    expect(openEnvelopedKey(RECIPIENT, envelopedKey).scalar.equals(ENC_SCALAR)).to.equal(true);
  });

  it('gives no key out under another signer, for another key or another recipient', async () => {
    const other = sm2PublicPoint(RECIPIENT);
    await refusal('E_SIGNATURE', () =>
      openSignedEnvelopedKey(RECIPIENT, OURS_BARE, ENC_POINT, signedBy(encodeSm2Spki(other))),
    );
    await refusal('E_KEY', () => openSignedEnvelopedKey(RECIPIENT, OURS_BARE, other, KMC));
    await refusal('E_DECRYPT', () => openSignedEnvelopedKey(ENC_SCALAR, OURS_BARE, ENC_POINT, KMC));
  });

  it('refuses the dialect of GmSSL and other message types', async () => {
    for (const { b64 } of VECTORS.gm_cms.slice(1)) {
      await refusal('E_DER', () => parseSignedAndEnveloped(Buffer.from(b64, 'base64')));
    }
  });

  it('refuses two recipients, two signers, other algorithms and content that is not data', async () => {
    const parts = parseSignedAndEnveloped(OURS_BARE);
    const swap = (from: string, to: string): Buffer => {
      const der = encodeSignedAndEnveloped({ ...parts, certificates: [] });
      const text = der.toString('hex');
      expect(text).to.include(from);
      return Buffer.from(text.replace(from, to), 'hex');
    };
    const algorithm = '2a811ccf55018';
    await refusal('E_DER', () => parseSignedAndEnveloped(swap(`${algorithm}22d03`, `${algorithm}22d02`)));
    await refusal('E_DER', () => parseSignedAndEnveloped(swap(`${algorithm}22d01`, `${algorithm}22d02`)));
    await refusal('E_DER', () => parseSignedAndEnveloped(swap(`${algorithm}311`, `${algorithm}312`)));
    await refusal('E_DER', () => parseSignedAndEnveloped(swap('2a811ccf550601040201', '2a811ccf550601040203')));
    await refusal('E_DER', () => parseSignedAndEnveloped(swap('2a811ccf55016801', '2a811ccf55016802')));
    await refusal('E_SIZE', () => parseSignedAndEnveloped(Buffer.alloc(70_000)));
    expect(parts.contentAlgorithm).to.equal(OID.sm4Ecb);
  });

  it('round trips or is refused; no flipped bit of what counts gives a key out', () => {
    fc.assert(
      fc.property(fc.nat(OURS_BARE.length * 8 - 1), (bit) => {
        const der = Buffer.from(OURS_BARE);
        der[bit >> 3]! ^= 1 << (bit & 7);
        let parsed;
        try {
          parsed = parseSignedAndEnveloped(der);
        } catch (error) {
          expect(error).to.be.instanceOf(KmcError);
          return;
        }
        try {
          // Names and certificates are not what the key hangs on: then it must be the very key.
          const { scalar } = openSignedEnvelopedKey(RECIPIENT, der, ENC_POINT, KMC);
          expect(scalar.equals(ENC_SCALAR)).to.equal(true);
          expect(parsed.encryptedContent.equals(parseSignedAndEnveloped(OURS_BARE).encryptedContent)).to.equal(true);
        } catch (error) {
          expect(error).to.be.instanceOf(KmcError);
        }
      }),
      { numRuns: 120 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (octets) => {
        expect(() => parseSignedAndEnveloped(Buffer.from(octets))).to.throw(KmcError);
      }),
    );
  });
});
