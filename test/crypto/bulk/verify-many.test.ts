import { expect } from 'chai';
import { KEY_ALGORITHMS, signMessage } from '../../../src/crypto/algorithms.ts';
import { verifyMany, type SignatureToVerify } from '../../../src/crypto/bulk/verify-many.ts';
import { parsePkcs8 } from '../../../src/crypto/pkcs8.ts';
import { refusal } from '../refusal.ts';
import { describeForEachSm2Engine } from '../sm2-engines.ts';

/** Signatures of which every third is over another message, and the verdicts they must get. */
async function mixture(count: number): Promise<{ items: SignatureToVerify[]; verdicts: boolean[] }> {
  const keys = await Promise.all(
    (['SM2', 'EC-P256'] as const).map(async (kind) => parsePkcs8((await KEY_ALGORITHMS[kind].generateKeyPair()).pkcs8)),
  );
  const verdicts = Array.from({ length: count }, (_, at) => at % 3 !== 0);
  const items = verdicts.map((good, at): SignatureToVerify => {
    const key = keys[at % 2]!;
    const algorithm = KEY_ALGORITHMS[key.algorithm].defaultSignature;
    const message = Buffer.from(`message ${at}`);
    const signature = signMessage(algorithm, key, message);
    return { algorithm, spki: key.spki, message: good ? message : Buffer.from('another'), signature };
  });
  return { items, verdicts };
}

describeForEachSm2Engine('verifyMany', () => {
  for (const count of [0, 1, 20, 300]) {
    it(`gives each of ${count} signatures its verdict, in their order`, async () => {
      const { items, verdicts } = await mixture(count);
      expect(await verifyMany(items)).to.deep.equal(verdicts);
    });
  }

  it('refuses a key that is none, on this thread and on another, and goes on afterwards', async () => {
    for (const count of [2, 100]) {
      const { items, verdicts } = await mixture(count);
      await refusal('E_DER', () => verifyMany(items.with(1, { ...items[1]!, spki: Buffer.from('no key') })));
      expect(await verifyMany(items)).to.deep.equal(verdicts);
    }
  });
});
