import { expect } from 'chai';
import * as fc from 'fast-check';
import { parseStrictJson } from '../../src/crypto/strict-json.ts';
import { KmcError } from '../../src/errors.ts';
import { refusal } from './refusal.ts';

describe('parseStrictJson', () => {
  it('reads what JSON.parse reads from any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.integer({ min: 0, max: 2 }), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        try {
          expect(parseStrictJson(text)).to.deep.equal(JSON.parse(text));
        } catch (error) {
          // Names that are forbidden, integers beyond 2^53 and lone surrogates are legal JSON.
          expect(error).to.be.instanceOf(KmcError);
          expect(text).to.match(/__proto__|constructor|prototype|[0-9]{16}|\\ud|\p{Surrogate}/u);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('refuses every text that JSON.parse refuses', () => {
    const fragment = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '"a"',
      '1',
      '-',
      '0',
      '.',
      'e',
      'true',
      'null',
      ' ',
      '\\',
    );
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 9 }), (fragments) => {
        const text = fragments.join('');
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          expected = undefined;
        }
        if (expected !== undefined) return;
        expect(() => parseStrictJson(text)).to.throw(KmcError);
      }),
      { numRuns: 2000 },
    );
  });

  it('reads strings with every escape, and UTF-8 octets', () => {
    expect(parseStrictJson('"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00"')).to.equal('"\\/\b\f\n\r\té😀');
    expect(parseStrictJson(Buffer.from(' {"名":"值"}\n'))).to.deep.equal({ 名: '值' });
    expect(parseStrictJson('"\u007f\u2028"')).to.equal('\u007f\u2028');
  });

  for (const [what, text] of [
    ['duplicate names', '{"a":1,"a":2}'],
    ['duplicate names by an escape', '{"a":1,"\\u0061":2}'],
    ['__proto__ (D4)', '{"__proto__":{"role":"admin"}}'],
    ['__proto__ by an escape', '{"\\u005f_proto__":1}'],
    ['constructor.prototype (D4)', '{"constructor":{"prototype":{"x":1}}}'],
    ['prototype', '{"prototype":1}'],
    ['an integer that a double does not hold', '9007199254740993'],
    ['a negative integer that a double does not hold', '-9007199254740993'],
    ['a number that overflows', '1e400'],
    ['a lone high surrogate', '"\\ud800"'],
    ['a lone low surrogate', '"\\udc00x"'],
    ['surrogates in the wrong order', '"\\ude00\\ud83d"'],
    ['a lone surrogate in a name', '{"\\ud800":1}'],
    ['a raw lone surrogate', '"\ud800"'],
    ['a leading zero', '01'],
    ['a plus sign', '+1'],
    ['NaN', 'NaN'],
    ['a trailing comma in an array', '[1,]'],
    ['a trailing comma in an object', '{"a":1,}'],
    ['single quotes', "{'a':1}"],
    ['a comment', '1 // one'],
    ['two values', '1 2'],
    ['nothing', ''],
    ['space alone', '  '],
    ['a raw line break in a string', '"a\nb"'],
    ['an unknown escape', '"\\x41"'],
    ['a short escape', '"\\u12"'],
    ['an open string', '"abc'],
    ['a byte order mark', '\ufeff1'],
    ['a space that JSON does not know', '\u00a01'],
    ['a word in the wrong case', 'True'],
    ['a word with a tail', 'nullx'],
  ] as const) {
    it(`refuses ${what}`, () => refusal('E_JSON', () => parseStrictJson(text)));
  }

  it('refuses octets that are not UTF-8, and a byte order mark in them', async () => {
    await refusal('E_JSON', () => parseStrictJson(Buffer.from([0x22, 0xff, 0x22])));
    await refusal('E_JSON', () => parseStrictJson(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])));
    await refusal('E_JSON', () => parseStrictJson(Buffer.from('\ufeff1')));
  });

  it('refuses depth and size above their bounds, and never overflows the stack', async () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(parseStrictJson(nested(32))).to.be.an('array');
    for (const depth of [33, 5000, 200_000]) await refusal('E_JSON', () => parseStrictJson(nested(depth)));
    await refusal('E_JSON', () => parseStrictJson('{"a":'.repeat(3), { maxDepth: 2 }));
    expect(parseStrictJson('"é"', { maxBytes: 4 })).to.equal('é');
    await refusal('E_SIZE', () => parseStrictJson('"é"', { maxBytes: 3 }));
    await refusal('E_SIZE', () => parseStrictJson(Buffer.from('"é"'), { maxBytes: 3 }));
    await refusal('E_SIZE', () => parseStrictJson(`"${'a'.repeat(1_048_576)}"`));
  });

  it('leaves the prototypes of objects alone', () => {
    expect(() => parseStrictJson('{"__proto__":{"role":"admin"}}')).to.throw(KmcError);
    expect(({} as Record<string, unknown>)['role']).to.equal(undefined);
  });

  it('stays fast on long hostile input', () => {
    const start = Date.now();
    for (const text of [
      `"${'\\u0061'.repeat(100_000)}"`,
      '1'.repeat(1_000_000),
      ' '.repeat(1_000_000),
      `"${'\\'.repeat(999_999)}`,
    ]) {
      expect(() => parseStrictJson(text, { maxBytes: 600_000 })).to.satisfy(() => true);
      try {
        parseStrictJson(text);
      } catch (error) {
        expect(error).to.be.instanceOf(KmcError);
      }
    }
    expect(Date.now() - start).to.be.lessThan(3000);
  });
});
