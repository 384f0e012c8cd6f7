import { expect } from 'chai';
import fc from 'fast-check';
import { dataKeyNameOf, decryptData, encryptData } from '../../src/crypto/data-ciphertext.ts';
import { KmcError } from '../../src/errors.ts';
import { refusal } from './refusal.ts';

const KEY = Buffer.alloc(16, 7);
const LABEL = { keyId: 'mk-1', keyVersion: 3, context: Buffer.from('context') };

describe('a data ciphertext', () => {
  it('gives back what was encrypted and names its key and version, for any label and any octets', () => {
    const keyId = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,63}$/);
    const label = fc.record({
      keyId,
      keyVersion: fc.nat({ max: 0xffff_ffff }),
      context: fc.uint8Array({ maxLength: 300 }),
    });
    fc.assert(
      fc.property(label, fc.uint8Array({ maxLength: 200 }), (given, octets) => {
        const named = { ...given, context: Buffer.from(given.context) };
        const ciphertext = encryptData(KEY, named, Buffer.from(octets));
        expect(decryptData(KEY, named, ciphertext).equals(octets)).to.equal(true);
        expect(dataKeyNameOf(ciphertext)).to.deep.equal({ keyId: given.keyId, keyVersion: given.keyVersion });
      }),
      { numRuns: 200 },
    );
  });

  it('is read or refused with E_DECRYPT, whatever the octets', () => {
    const prefixed = fc
      .tuple(fc.constantFrom('', 'KMD1', 'KMD1\u0001\u0004mk-1', 'KMD1\u0002'), fc.uint8Array({ maxLength: 120 }))
      .map(([start, rest]) => Buffer.concat([Buffer.from(start, 'latin1'), rest]));
    fc.assert(
      fc.property(prefixed, (octets) => {
        for (const read of [() => dataKeyNameOf(octets), () => decryptData(KEY, LABEL, octets)]) {
          try {
            read();
          } catch (error) {
            if (!(error instanceof KmcError) || error.code !== 'E_DECRYPT') throw error;
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('takes no other key id and no larger version than it can name', async () => {
    await refusal('E_ID', () => encryptData(KEY, { ...LABEL, keyId: 'MK' }, Buffer.alloc(1)));
    for (const keyVersion of [-1, 1.5, 2 ** 32])
      await refusal('E_SCHEMA', () => encryptData(KEY, { ...LABEL, keyVersion }, Buffer.alloc(1)));
  });
});
