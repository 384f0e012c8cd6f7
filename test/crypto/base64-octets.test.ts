import { expect } from 'chai';
import fc from 'fast-check';
import { encodeBase64 } from '../../src/crypto/base64-octets.ts';

describe('base64 in Buffers', () => {
  it('is what Node writes, for any octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (octets) => {
        expect(encodeBase64(octets).toString('latin1')).to.equal(Buffer.from(octets).toString('base64'));
      }),
      { numRuns: 500 },
    );
  });
});
