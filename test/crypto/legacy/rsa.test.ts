import { expect } from 'chai';
import { KEY_ALGORITHMS } from '../../../src/crypto/algorithms.ts';
import { bitLength, generateRsaKey, signRsa, verifyRsa } from '../../../src/crypto/legacy/rsa.ts';
import type { RsaScheme } from '../../../src/crypto/legacy/rsa.ts';
import { parsePkcs8 } from '../../../src/crypto/pkcs8.ts';
import { importPublicKey } from '../../../src/crypto/spki.ts';
import { withOpenssl } from '../openssl.ts';
import { refusal } from '../refusal.ts';

const SCHEMES: readonly (RsaScheme & { readonly options: readonly string[] })[] = [
  { hash: 'sha256', padding: 'pkcs1', options: [] },
  {
    hash: 'sha256',
    padding: 'pss',
    options: ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:32'],
  },
];
const MESSAGE = Buffer.from('message');

describe('rsa', () => {
  let pair: Awaited<ReturnType<typeof generateRsaKey>>;
  before(async () => {
    pair = await generateRsaKey(2048);
  });

  for (const scheme of SCHEMES) {
    it(`signs and verifies with ${scheme.padding}, both ways with the openssl program`, () => {
      const { keyObject, info } = importPublicKey(pair.spki);
      const signature = signRsa(parsePkcs8(pair.pkcs8).keyObject, scheme, MESSAGE);
      expect(signature.length).to.equal(256);
      expect(verifyRsa(keyObject, info.rsa!, scheme, MESSAGE, signature)).to.equal(true);
      expect(verifyRsa(keyObject, info.rsa!, scheme, Buffer.from('other'), signature)).to.equal(false);
      withOpenssl((folder) => {
        const message = folder.write('message', MESSAGE);
        const key = ['-keyform', 'DER', ...scheme.options];
        const privateKey = folder.write('key.der', pair.pkcs8);
        const theirs = folder.run('dgst', '-sha256', '-sign', privateKey, ...key, message);
        expect(verifyRsa(keyObject, info.rsa!, scheme, MESSAGE, theirs)).to.equal(true);
        const ours = ['-signature', folder.write('ours', signature)];
        folder.run('dgst', '-sha256', '-verify', folder.write('spki.der', pair.spki), ...ours, ...key, message);
      });
    });
  }

  it('verifies neither the other padding nor another length', () => {
    const { keyObject, info } = importPublicKey(pair.spki);
    const [pkcs1, pss] = [SCHEMES[0]!, SCHEMES[1]!];
    const signature = signRsa(parsePkcs8(pair.pkcs8).keyObject, pkcs1, MESSAGE);
    expect(verifyRsa(keyObject, info.rsa!, pss, MESSAGE, signature)).to.equal(false);
    for (const other of [signature.subarray(1), Buffer.concat([Buffer.alloc(1), signature]), Buffer.alloc(0)]) {
      expect(verifyRsa(keyObject, info.rsa!, pkcs1, MESSAGE, other)).to.equal(false);
    }
  });

  it('makes keys of the sizes that are allowed, 3072 bits when none is given', async () => {
    const { spki } = await KEY_ALGORITHMS.RSA.generateKeyPair();
    expect(bitLength(importPublicKey(spki).info.rsa!.n)).to.equal(3072);
    for (const bits of [1024, 2047, 2050, 8192, Number.NaN]) {
      await refusal('E_USAGE', () => generateRsaKey(bits));
    }
  });
});
