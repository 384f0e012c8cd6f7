import { expect } from 'chai';
import {
  sm4CbcDecrypt,
  sm4CbcDecryptBlocks,
  sm4CbcEncrypt,
  sm4CbcEncryptBlocks,
  sm4Ctr,
  sm4EcbDecrypt,
  sm4EcbEncrypt,
} from '../../../src/crypto/gm/sm4.ts';
import { refusal } from '../refusal.ts';
import { GM, hex } from '../vectors.ts';

describe('sm4', () => {
  it('gives the published ciphertexts in ECB, and goes back', () => {
    for (const { key, pt, ct, source } of GM.sm4.ecb.filter((vector) => vector.iterations === undefined)) {
      expect(sm4EcbEncrypt(hex(key), hex(pt)).toString('hex'), source).to.equal(ct);
      expect(sm4EcbDecrypt(hex(key), hex(ct)).toString('hex'), source).to.equal(pt);
    }
  });

  it('gives the ciphertext of the standard after a million encryptions (B13)', () => {
    for (const { key, pt, ct, iterations } of GM.sm4.ecb.filter((vector) => vector.iterations !== undefined)) {
      // CBC over zeros feeds each ciphertext back as the next plaintext.
      const chain = sm4CbcEncryptBlocks(hex(key), hex(pt), Buffer.alloc(16 * (iterations ?? 0)));
      expect(chain.subarray(-16).toString('hex')).to.equal(ct);
    }
  });

  it('gives the published ciphertexts in CBC without padding, and goes back', () => {
    for (const { key, iv, pt, ct, source } of GM.sm4.cbc) {
      expect(sm4CbcEncryptBlocks(hex(key), hex(iv), hex(pt)).toString('hex'), source).to.equal(ct);
      expect(sm4CbcDecryptBlocks(hex(key), hex(iv), hex(ct)).toString('hex'), source).to.equal(pt);
    }
  });

  it('gives the published ciphertexts in CBC with PKCS#7 padding and refuses those that must be refused', async () => {
    for (const { key, iv, pt, ct, source, result } of GM.sm4.cbc_pkcs7) {
      if (result === undefined) {
        expect(sm4CbcEncrypt(hex(key), hex(iv), hex(pt)).toString('hex'), source).to.equal(ct);
        expect(sm4CbcDecrypt(hex(key), hex(iv), hex(ct)).toString('hex'), source).to.equal(pt);
      } else {
        await refusal('E_DECRYPT', () => sm4CbcDecrypt(hex(key), hex(iv), hex(ct)));
      }
    }
  });

  it('gives the published ciphertexts in CTR, both ways', () => {
    for (const { key, iv, pt, ct, source } of GM.sm4.ctr) {
      expect(sm4Ctr(hex(key), hex(iv), hex(pt)).toString('hex'), source).to.equal(ct);
      expect(sm4Ctr(hex(key), hex(iv), hex(ct)).toString('hex'), source).to.equal(pt);
    }
  });

  it('refuses keys, vectors and data of other lengths', async () => {
    const block = Buffer.alloc(16);
    await refusal('E_USAGE', () => sm4EcbEncrypt(Buffer.alloc(15), block));
    await refusal('E_USAGE', () => sm4Ctr(block, Buffer.alloc(12), block));
    await refusal('E_USAGE', () => sm4EcbEncrypt(block, Buffer.alloc(17)));
    await refusal('E_USAGE', () => sm4CbcDecryptBlocks(block, block, Buffer.alloc(17)));
  });
});
