import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { verifySignature } from '../../../src/crypto/algorithms.ts';
import { decryptPkcs8, encryptPkcs8 } from '../../../src/crypto/encrypted-pkcs8.ts';
import type { CryptoEngine } from '../../../src/crypto/engine.ts';
import { encodeSm2Pkcs8, parsePkcs8 } from '../../../src/crypto/pkcs8.ts';
import type { OpenEngine } from '../engine-contract.ts';
import { refusal } from '../refusal.ts';
import { knownKey, outsideKey, PASSPHRASE } from './known.ts';

const MESSAGE = Buffer.from('signed with a key from a file');
const PKCS12 = JSON.parse(readFileSync(new URL('../../vectors/pkcs12.json', import.meta.url), 'utf8')) as {
  readonly key: string;
  readonly items: readonly { readonly name: string; readonly passphrase: string; readonly b64: string }[];
};

export function describeKeyFiles(open: OpenEngine): void {
  describe('key files', () => {
    let engine: CryptoEngine;

    before(async () => {
      engine = await open();
    });

    for (const shape of ['gmssl', 'openssl'] as const) {
      it(`of the ${shape} shape hold the key under its passphrase and open again`, async () => {
        const { key, pkcs8 } = await knownKey(engine);
        const file = await engine.exportPkcs8(key, PASSPHRASE, shape);
        expect(file.includes(pkcs8.subarray(36, 68))).to.equal(false);
        expect((await decryptPkcs8(file, PASSPHRASE)).equals(pkcs8)).to.equal(true);
        const again = await engine.importPkcs8(file, PASSPHRASE);
        expect(again.spki.equals(key.spki)).to.equal(true);
        const signature = await engine.sign(again, 'SM2-SM3', MESSAGE);
        expect(verifySignature('SM2-SM3', key.spki, MESSAGE, signature)).to.equal(true);
      });
    }

    it('of all kinds of key come through', async () => {
      for (const key of [await engine.generateKeyPair('EC-P256'), await engine.generateKeyPair('RSA', 2048)]) {
        const again = await engine.importPkcs8(await engine.exportPkcs8(key, PASSPHRASE, 'gmssl'), PASSPHRASE);
        expect(again.algorithm).to.equal(key.algorithm);
        expect(again.spki.equals(key.spki)).to.equal(true);
      }
    });

    it('do not open under another passphrase (E_PASSPHRASE) or when they are none (E_DER)', async () => {
      const { key } = await knownKey(engine);
      const file = await engine.exportPkcs8(key, PASSPHRASE, 'gmssl');
      await refusal('E_PASSPHRASE', () => engine.importPkcs8(file, Buffer.from('another')));
      await refusal('E_PASSPHRASE', () => engine.importPkcs8(file, Buffer.alloc(0)));
      await refusal('E_PASSPHRASE', () => engine.exportPkcs8(key, Buffer.alloc(0), 'gmssl'));
      await refusal('E_DER', () => engine.importPkcs8(file.subarray(1), PASSPHRASE));
    });

    it('with d = n-1 or with the public key of another pair are refused with E_KEY', async () => {
      const { scalar, point } = outsideKey();
      const largest = Buffer.from('fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54122', 'hex');
      for (const wrong of [encodeSm2Pkcs8(largest, point), encodeSm2Pkcs8(scalar, outsideKey().point)]) {
        const file = await encryptPkcs8(wrong, PASSPHRASE);
        await refusal('E_KEY', () => engine.importPkcs8(file, PASSPHRASE));
      }
    });

    it('are right even when the key is destroyed while they are written', async () => {
      const { key, pkcs8 } = await knownKey(engine);
      const writing = engine.exportPkcs8(key, PASSPHRASE, 'gmssl');
      engine.destroyKey(key);
      expect((await decryptPkcs8(await writing, PASSPHRASE)).equals(pkcs8)).to.equal(true);
    });

    it('stretch their passphrase without holding up the event loop', async () => {
      const { key } = await knownKey(engine);
      let turns = 0;
      const clock = setInterval(() => (turns += 1), 1);
      await engine.exportPkcs8(key, PASSPHRASE, 'openssl').finally(() => clearInterval(clock));
      expect(turns).to.be.greaterThan(20);
    });

    it('of legacy RSA estates come in from PKCS#12 with their certificates', async () => {
      const { passphrase, b64 } = PKCS12.items.find(({ name }) => name === 'rc2-3des')!;
      const { key, certificates } = await engine.importPkcs12(Buffer.from(b64, 'base64'), Buffer.from(passphrase));
      const { spki } = parsePkcs8(Buffer.from(PKCS12.key, 'base64'));
      expect(key.algorithm).to.equal('RSA');
      expect(key.spki.equals(spki)).to.equal(true);
      expect(certificates).to.have.length(2);
      expect(certificates.some((certificate) => certificate.includes(spki))).to.equal(true);
      const signature = await engine.sign(key, 'RSA-PSS-SHA256', MESSAGE);
      expect(verifySignature('RSA-PSS-SHA256', spki, MESSAGE, signature)).to.equal(true);
      await refusal('E_PASSPHRASE', () => engine.importPkcs12(Buffer.from(b64, 'base64'), Buffer.from('another')));
    });
  });
}
