/** What every codec test looks at: values both ways against known octets, refusals on read, and octets changed at will. */
import { expect } from 'chai';
import * as fc from 'fast-check';
import { KmcError } from '../../../src/errors.ts';
import type { ExtensionCodec } from '../../../src/x509/extensions.ts';
import { refusal } from '../../crypto/refusal.ts';

/** [what, value, DER as hex]. */
export type GoodCase<Value> = readonly [string, Value, string];
/** [what, DER as hex]. */
export type BadCase = readonly [string, string];

/** Declares the tests of one codec. */
export function describeCodec<Value>(
  name: string,
  codec: ExtensionCodec<Value>,
  good: readonly GoodCase<Value>[],
  bad: readonly BadCase[],
): void {
  describe(name, () => {
    for (const [what, value, hex] of good) {
      it(`writes and reads ${what}`, () => {
        expect(codec.encode(value).toString('hex')).to.equal(hex);
        expect(codec.decode(Buffer.from(hex, 'hex'))).to.deep.equal(value);
      });
    }
    for (const [what, hex] of [
      ...bad,
      ['nothing', ''],
      ['octets behind the value', `${good[0]?.[2] ?? ''}00`],
    ] as const) {
      it(`refuses ${what}`, () => refusal('E_DER', () => codec.decode(Buffer.from(hex, 'hex'))));
    }
    it('refuses changed octets with a KmcError, or writes back exactly what it read', () => {
      const samples = good.map(([, , hex]) => hex);
      fc.assert(
        fc.property(
          fc.constantFrom(...samples),
          fc.nat({ max: 200 }),
          fc.integer({ min: 1, max: 255 }),
          (hex, at, mask) => {
            const changed = Buffer.from(hex, 'hex');
            const position = at % changed.length;
            changed[position] = (changed[position] ?? 0) ^ mask;
            let value;
            try {
              value = codec.decode(changed);
            } catch (error) {
              expect(error).to.be.instanceOf(KmcError);
              return;
            }
            expect(codec.encode(value).toString('hex')).to.equal(changed.toString('hex'));
          },
        ),
        { numRuns: 300 },
      );
    });
  });
}
