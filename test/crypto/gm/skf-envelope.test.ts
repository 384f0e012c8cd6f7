/** ENVELOPEDKEYBLOB of GM/T 0016 in both conventions: vectors in both directions, properties, refusals. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { makeKeyEnvelope, openKeyEnvelope } from '../../../src/crypto/gm/key-envelope.ts';
import { encodeSkfEnvelope, parseSkfEnvelope, SKF_ENVELOPE_LENGTH } from '../../../src/crypto/gm/skf-envelope.ts';
import { decodeSm2Ciphertext } from '../../../src/crypto/gm/sm2-ciphertext.ts';
import { generateSm2Key } from '../../../src/crypto/gm/sm2-key.ts';
import { KmcError } from '../../../src/errors.ts';
import { refusal } from '../refusal.ts';

interface Item {
  readonly source: string;
  readonly hex?: string;
  readonly sm2_enveloped_key_b64?: string;
  readonly skf_blob_b64?: string;
}

const VECTORS = (
  JSON.parse(readFileSync(new URL('../../vectors/gm-vectors.json', import.meta.url), 'utf8')) as {
    sm2_enveloped_key: {
      _fixed: Readonly<Record<'signing_d' | 'enc_d' | 'enc_P', string>>;
      items: readonly Item[];
    };
  }
).sm2_enveloped_key;
const { _fixed: FIXED } = VECTORS;
const RECIPIENT = Buffer.from(FIXED.signing_d, 'hex');
const blobOf = (convention: string): Buffer =>
  Buffer.from(VECTORS.items.find(({ source }) => source.includes(`convention ${convention} `))!.hex!, 'hex');
const BLOBS = { A: blobOf('A'), B: blobOf('B') };
const CONVERTED = VECTORS.items.find(({ skf_blob_b64: blob }) => blob !== undefined)!;

describe('ENVELOPEDKEYBLOB of GM/T 0016', () => {
  for (const convention of ['A', 'B'] as const) {
    it(`opens the vector of convention ${convention} and writes it back octet by octet`, () => {
      const envelope = parseSkfEnvelope(BLOBS[convention]);
      const { scalar, point } = openKeyEnvelope(RECIPIENT, envelope);
      expect(scalar.toString('hex')).to.equal(FIXED.enc_d);
      expect(point.toString('hex')).to.equal(FIXED.enc_P);
      expect(encodeSkfEnvelope(envelope, convention).equals(BLOBS[convention])).to.equal(true);
    });

    it(`of convention ${convention} holds any key for any recipient`, () => {
      for (let round = 0; round < 3; round += 1) {
        const [pair, recipient] = [generateSm2Key(), generateSm2Key()];
        const blob = encodeSkfEnvelope(makeKeyEnvelope(pair, recipient.point), convention);
        expect(blob).to.have.length(SKF_ENVELOPE_LENGTH);
        expect(openKeyEnvelope(recipient.scalar, parseSkfEnvelope(blob))).to.deep.equal(pair);
      }
    });
  }

  it('holds what another product put there from an SM2EnvelopedKey, and is written as that product writes it', () => {
    const blob = Buffer.from(CONVERTED.skf_blob_b64!, 'base64');
    const envelope = parseSkfEnvelope(blob);
    expect(encodeSkfEnvelope(envelope, 'A').equals(blob)).to.equal(true);
    // Their SM2EnvelopedKey has an INTEGER without its sign octet, so it is compared part by part.
    const theirs = Buffer.from(CONVERTED.sm2_enveloped_key_b64!, 'base64');
    const { c1, c2, c3 } = decodeSm2Ciphertext(envelope.wrappedKey);
    for (const part of [c1.subarray(1, 33), c1.subarray(33), c2, c3, envelope.point, envelope.encryptedScalar]) {
      expect(theirs.includes(part)).to.equal(true);
    }
  });

  it('of convention B is not made without encrypted padding, nor any with PKCS#7 padding', async () => {
    const bare = parseSkfEnvelope(BLOBS.A);
    await refusal('E_USAGE', () => encodeSkfEnvelope(bare, 'B'));
    const padded = { ...bare, encryptedScalar: Buffer.alloc(48, 1) };
    await refusal('E_USAGE', () => encodeSkfEnvelope(padded, 'A'));
  });

  it('is refused with another version, algorithm, size, padding or length', async () => {
    for (const at of [0, 4, 8, 76, 80, 144, 208, 272, 368]) {
      const wrong = Buffer.from(BLOBS.A);
      wrong[at] = (wrong[at] ?? 0) ^ 0x10;
      await refusal('E_DER', () => parseSkfEnvelope(wrong));
    }
    await refusal('E_DER', () => parseSkfEnvelope(BLOBS.A.subarray(1)));
    await refusal('E_DER', () => parseSkfEnvelope(Buffer.concat([BLOBS.A, Buffer.alloc(1)])));
  });

  it('round trips or is refused, and no flipped bit gives another key out', () => {
    fc.assert(
      fc.property(fc.nat(SKF_ENVELOPE_LENGTH * 8 - 1), fc.constantFrom('A', 'B'), (bit, convention) => {
        const blob = Buffer.from(BLOBS[convention]);
        blob[bit >> 3]! ^= 1 << (bit & 7);
        try {
          openKeyEnvelope(RECIPIENT, parseSkfEnvelope(blob));
        } catch (error) {
          expect(error).to.be.instanceOf(KmcError);
          return;
        }
        throw new Error('An altered blob opened.');
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 388, maxLength: 388 }), (octets) => {
        expect(() => parseSkfEnvelope(Buffer.from(octets))).to.throw(KmcError);
      }),
    );
  });
});
