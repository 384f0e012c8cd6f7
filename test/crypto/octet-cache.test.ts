import { expect } from 'chai';
import { OctetCache } from '../../src/crypto/octet-cache.ts';

describe('a cache by octets', () => {
  const reader = (limit: number) => {
    const cache = new OctetCache<{ readonly text: string }>(limit);
    const computed: string[] = [];
    const read = (octets: Buffer): { readonly text: string } =>
      cache.get(octets, (copy) => {
        const text = copy.toString('hex');
        computed.push(text);
        return { text };
      });
    return { read, computed };
  };

  it('computes once for the same octets, whichever Buffer holds them, and tells high octets apart', () => {
    const { read, computed } = reader(10);
    expect(read(Buffer.from('00ff', 'hex'))).to.equal(read(Buffer.from('00ff', 'hex')));
    expect(read(Buffer.from('00fe', 'hex'))).to.deep.equal({ text: '00fe' });
    expect(read(Buffer.from('c3bf', 'hex'))).to.deep.equal({ text: 'c3bf' });
    expect(computed).to.deep.equal(['00ff', '00fe', 'c3bf']);
  });

  it('hands out a copy, so that a Buffer which changes later changes no result', () => {
    const cache = new OctetCache<Buffer>(10);
    const given = Buffer.from('0102', 'hex');
    const result = cache.get(given, (copy) => copy);
    given.fill(0);
    expect(result.toString('hex')).to.equal('0102');
    expect(cache.get(Buffer.from('0102', 'hex'), () => Buffer.alloc(0))).to.equal(result);
  });

  it('forgets the oldest beyond its limit, and remembers no failure and nothing long', () => {
    const { read, computed } = reader(2);
    for (const text of ['01', '02', '03', '03', '02', '01']) read(Buffer.from(text, 'hex'));
    expect(computed).to.deep.equal(['01', '02', '03', '01']);
    const cache = new OctetCache<number>(2);
    const failing = (): number => {
      throw new RangeError('no');
    };
    expect(() => cache.get(Buffer.from('aa'), failing)).to.throw(RangeError);
    expect(cache.get(Buffer.from('aa'), () => 1)).to.equal(1);
    const long = Buffer.alloc(2_000);
    expect([cache.get(long, () => 1), cache.get(long, () => 2)]).to.deep.equal([1, 2]);
  });
});
