import { timingSafeEqual } from 'node:crypto';
import { expect } from 'chai';
import * as fc from 'fast-check';
import smCrypto from 'sm-crypto';
import { hkdfSm3, hmacSm3, pbkdf2HmacSm3, sm3 } from '../../../src/crypto/gm/sm3.ts';
import { portableSm3 } from '../../../src/crypto/gm/sm3-portable.ts';
import { GM, hex } from '../vectors.ts';

function messageOf(vector: (typeof GM.sm3)[number]): Buffer {
  if (vector.msg_hex !== undefined) return hex(vector.msg_hex);
  return vector.len === undefined
    ? Buffer.alloc(1_000_000, 'a')
    : Buffer.from(Array.from({ length: vector.len }, (_, index) => index % 256));
}

describe('sm3', () => {
  for (const [name, hash] of Object.entries({ sm3, portableSm3 })) {
    it(`${name} gives the published digests`, () => {
      expect(GM.sm3.length).to.equal(13);
      for (const vector of GM.sm3)
        expect(Buffer.from(hash(messageOf(vector))).toString('hex'), vector.source).to.equal(vector.digest);
    });
  }

  it('is the same by OpenSSL, by the portable implementation and by sm-crypto, however the message is cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (message, cut) => {
        const digest = sm3(message).toString('hex');
        const cutUp = portableSm3(message.subarray(0, cut), message.subarray(cut));
        expect(Buffer.from(cutUp).toString('hex')).to.equal(digest);
        expect(sm3(message.subarray(0, cut), message.subarray(cut)).toString('hex')).to.equal(digest);
        expect(smCrypto.sm3([...message])).to.equal(digest);
      }),
    );
  });
});

describe('hmacSm3', () => {
  it('gives the valid tags of Wycheproof and none of the invalid ones', () => {
    expect(GM.hmac_sm3.length).to.equal(154);
    for (const { key, msg, tag, result, source } of GM.hmac_sm3) {
      // Wycheproof also lists tags cut to their first octets.
      const expected = hex(tag);
      const computed = hmacSm3(hex(key), hex(msg)).subarray(0, expected.length);
      expect(timingSafeEqual(computed, expected), source).to.equal(result === 'valid');
    }
  });
});

describe('hkdfSm3', () => {
  it('gives the published output', () => {
    for (const { ikm, salt, info, L, okm, source } of GM.hkdf_sm3) {
      expect(hkdfSm3(hex(ikm), hex(salt), hex(info), L).toString('hex'), source).to.equal(okm);
    }
  });
});

describe('pbkdf2HmacSm3', () => {
  it('gives the published keys', async () => {
    const keys = await Promise.all(
      GM.pbkdf2_hmac_sm3.map(({ password_hex: password, salt, iterations, dkLen }) =>
        pbkdf2HmacSm3(hex(password), hex(salt), iterations, dkLen),
      ),
    );
    expect(keys.map((key) => key.toString('hex'))).to.deep.equal(GM.pbkdf2_hmac_sm3.map(({ dk }) => dk));
  });
});
