import { expect } from 'chai';
import * as fc from 'fast-check';
import { concat, equalConstantTime, fromBigInt, isAllZero, toBigInt, wipe } from '../../src/crypto/bytes.ts';

describe('bytes', () => {
  it('joins parts in a Buffer that is not a view into the pool', () => {
    const joined = concat(Buffer.from('ab'), new Uint8Array([0x63]), Buffer.alloc(0));
    expect(joined.toString()).to.equal('abc');
    expect(joined.buffer.byteLength).to.equal(3);
  });

  it('wipes every Buffer it is given and passes over what is undefined', () => {
    const secret = Buffer.from('secret');
    wipe(secret, undefined);
    expect(isAllZero(secret)).to.equal(true);
  });

  it('compares contents and never equates different lengths', () => {
    expect(equalConstantTime(Buffer.from('abc'), Buffer.from('abc'))).to.equal(true);
    expect(equalConstantTime(Buffer.from('abc'), Buffer.from('abd'))).to.equal(false);
    expect(equalConstantTime(Buffer.from('abc'), Buffer.from('ab'))).to.equal(false);
  });

  it('brings numbers to octets and back', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), (value) => {
        expect(toBigInt(fromBigInt(value, 32))).to.equal(value);
      }),
    );
    expect(toBigInt(Buffer.alloc(0))).to.equal(0n);
  });

  it('refuses to write a number that does not fit', () => {
    expect(() => fromBigInt(256n, 1)).to.throw(RangeError);
    expect(() => fromBigInt(-1n, 1)).to.throw(RangeError);
  });
});
