import { expect } from 'chai';
import type { CryptoEngine, SecretHandle, ShareHandle, ShareSetPublic } from '../../../src/crypto/engine.ts';
import { decryptSm2, encryptSm2 } from '../../../src/crypto/gm/sm2-encrypt.ts';
import { sm3 } from '../../../src/crypto/gm/sm3.ts';
import { decodeShareEnvelope, encodeShareEnvelope, shareCommitment } from '../../../src/crypto/shamir.ts';
import { sm2PointFromSpki } from '../../../src/crypto/spki.ts';
import type { OpenEngine } from '../engine-contract.ts';
import { refusal } from '../refusal.ts';
import { octetsOf, outsideKey } from './known.ts';

const holderOf = (name: string): Buffer => sm3(Buffer.from(`certificate of ${name}`));
const HOLDER = holderOf('holder');

export function describeShares(open: OpenEngine): void {
  describe('shares', () => {
    let engine: CryptoEngine;
    let secret: SecretHandle;
    let shares: ShareHandle[];
    let set: ShareSetPublic;

    before(async () => {
      engine = await open();
      secret = await engine.generateSecret(32);
      ({ shares, set } = await engine.splitSecret(secret, 3, 5));
    });

    it('go out to their holders and come back to restore the secret', async () => {
      const returned: ShareHandle[] = [];
      const restorer = await open();
      for (const [at, share] of shares.slice(1, 4).entries()) {
        const [holderKey, holder] = [await engine.generateKeyPair('SM2'), holderOf(`holder ${at}`)];
        const handedOut = await engine.encryptShareTo(share, holderKey.spki, holder);
        const mine = await engine.decryptShare(holderKey, handedOut, holder);
        const transport = await restorer.generateKeyPair('SM2');
        const handedIn = await engine.encryptShareTo(mine, transport.spki, holder);
        returned.push(await restorer.decryptShare(transport, handedIn, holder));
      }
      const restored = await restorer.combineShares(returned, set);
      expect((await octetsOf(restorer, restored)).equals(await octetsOf(engine, secret))).to.equal(true);
    });

    it('stand in their set by number, index and commitment', async () => {
      expect(set.threshold).to.equal(3);
      expect(set.count).to.equal(5);
      expect(set.setId).to.match(/^[0-9a-f]{32}$/);
      for (const [at, share] of shares.entries()) {
        expect(share).to.include({ setId: set.setId, threshold: 3, count: 5, index: set.commitments[at]!.index });
        const recipient = outsideKey();
        const envelope = decryptSm2(recipient.scalar, await engine.encryptShareTo(share, recipient.spki, HOLDER));
        const read = decodeShareEnvelope(envelope, HOLDER);
        expect(shareCommitment(read)).to.equal(set.commitments[at]!.commitment);
        expect(share.secret.length).to.equal(33);
      }
    });

    it('fewer than the threshold give nothing: E_SHARES_FEW', async () => {
      for (const few of [[], shares.slice(0, 1), shares.slice(3)]) {
        await refusal('E_SHARES_FEW', () => engine.combineShares(few, set));
      }
    });

    it('of another set are named: E_SHARE_SET', async () => {
      const other = await engine.splitSecret(secret, 3, 5);
      const error = await refusal('E_SHARE_SET', () =>
        engine.combineShares([shares[0]!, shares[1]!, other.shares[2]!], set),
      );
      expect(error.message).to.include(` ${other.shares[2]!.index} `);
      await refusal('E_SHARE_SET', () => engine.combineShares(shares, other.set));
    });

    it('given twice are named: E_SAME_PERSON', async () => {
      const error = await refusal('E_SAME_PERSON', () =>
        engine.combineShares([shares[0]!, shares[1]!, shares[0]!, shares[2]!], set),
      );
      expect(error.message).to.include(` ${shares[0]!.index} `);
    });

    it('that are wrong, or whose handle lies, are named: E_SHARE_BAD', async () => {
      const key = await engine.generateKeyPair('SM2');
      const value = Buffer.alloc(32, 3);
      const { index } = shares[2]!;
      const envelope = encodeShareEnvelope({ setId: set.setId, threshold: 3, count: 5, index, value }, HOLDER);
      const forged = await engine.decryptShare(key, encryptSm2(sm2PointFromSpki(key.spki), envelope), HOLDER);
      const liars: ShareHandle[] = [
        forged,
        { ...shares[2]!, index: shares[3]!.index },
        { ...shares[2]!, secret: shares[3]!.secret },
        { ...shares[2]!, secret },
        { ...shares[2]!, threshold: 2 },
      ];
      for (const liar of liars) {
        const error = await refusal('E_SHARE_BAD', () => engine.combineShares([shares[0]!, shares[1]!, liar], set));
        expect(error.message).to.include(` ${liar.index} `);
      }
    });

    it('open for their holder only', async () => {
      const [key, stranger] = [await engine.generateKeyPair('SM2'), await engine.generateKeyPair('SM2')];
      const ciphertext = await engine.encryptShareTo(shares[0]!, key.spki, HOLDER);
      await refusal('E_DECRYPT', () => engine.decryptShare(stranger, ciphertext, HOLDER));
      await refusal('E_SHARE_BAD', () => engine.decryptShare(key, ciphertext, holderOf('someone else')));
      const token = await engine.encryptSecretTo(await engine.generateToken(), key.spki);
      await refusal('E_SHARE_BAD', () => engine.decryptShare(key, token, HOLDER));
      const legacy = await engine.generateKeyPair('EC-P256');
      await refusal('E_USAGE', () => engine.decryptShare(legacy, ciphertext, HOLDER));
      await refusal('E_KEY', () => engine.encryptShareTo(shares[0]!, legacy.spki, HOLDER));
      await refusal('E_USAGE', () => engine.encryptShareTo(shares[0]!, key.spki, Buffer.alloc(20)));
    });

    it('are made of 32-octet secrets, at least two of at most 255', async () => {
      for (const [k, n] of [
        [1, 3],
        [4, 3],
        [2, 256],
      ] as const) {
        await refusal('E_USAGE', () => engine.splitSecret(secret, k, n));
      }
      await refusal('E_USAGE', async () => engine.splitSecret(await engine.generateSecret(16), 2, 3));
    });
  });
}
