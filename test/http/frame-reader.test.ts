import { expect } from 'chai';
import * as fc from 'fast-check';
import { frameOf, FrameReader } from '../../src/http/frame-reader.ts';
import { KmcError } from '../../src/errors.ts';

describe('frames of a length and a message', () => {
  it('come out as they went in, however the stream is cut', () => {
    const messages = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 6 });
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), (sent, cuts) => {
        const stream = Buffer.concat(sent.map((message) => frameOf(Buffer.from(message))));
        const reader = new FrameReader(300);
        const got: Buffer[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const length = cuts[turn % cuts.length] ?? 1;
          reader.push(stream.subarray(at, at + length));
          at += length;
          for (let frame = reader.next(); frame !== undefined; frame = reader.next()) got.push(frame);
        }
        expect(got.map((frame) => frame.toString('hex'))).to.deep.equal(
          sent.map((message) => Buffer.from(message).toString('hex')),
        );
        expect(reader.isUnfinished).to.equal(false);
      }),
    );
  });

  it('are refused when empty or too long, before their octets come', () => {
    for (const header of ['00000000', '0000012d', 'ffffffff']) {
      const reader = new FrameReader(300);
      reader.push(Buffer.from(header, 'hex'));
      expect(() => reader.next()).to.throw(KmcError);
    }
  });
});
