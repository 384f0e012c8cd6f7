import { expect } from 'chai';
import * as fc from 'fast-check';
import { sm3 } from '../../src/crypto/gm/sm3.ts';
import { canonicalize, canonicalizeSigned, parseStrictJson } from '../../src/crypto/jcs.ts';
import { refusal } from './refusal.ts';
import { APPROVAL, hex } from './vectors.ts';

describe('canonicalize', () => {
  it('gives the examples of RFC 8785', () => {
    // Section 3.2.2 and 3.2.3.
    const numbers = [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001];
    expect(canonicalize({ numbers, string: '€$\u000f\nA\'B"\\\\"/', literals: [null, true, false] })).to.equal(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
    const sorted =
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"Latin","€":"Euro","😀":"Emoji","\ufb33":"Hebrew"}';
    const shuffled = {
      '€': 'Euro',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew',
      1: 'One',
      '😀': 'Emoji',
      '\u0080': 'Control',
      ö: 'Latin',
    };
    expect(canonicalize(shuffled)).to.equal(sorted);
  });

  it('writes numbers as ECMAScript does (RFC 8785 appendix B)', () => {
    const samples: readonly [number, string][] = [
      [0, '0'],
      [-0, '0'],
      [5e-324, '5e-324'],
      [1.7976931348623157e308, '1.7976931348623157e+308'],
      [9007199254740992, '9007199254740992'],
      [295147905179352830000, '295147905179352830000'],
      [9.999999999999997e22, '9.999999999999997e+22'],
      [1e23, '1e+23'],
      [0.000001, '0.000001'],
      [333333333.3333332, '333333333.3333332'],
    ];
    for (const [value, text] of samples) expect(canonicalize(value)).to.equal(text);
  });

  it('does not depend on the order of members, and comes back', () => {
    const json = fc
      .jsonValue({ maxDepth: 4 })
      .filter((value) => !/__proto__|constructor|prototype|[0-9]{16}|\\ud/.test(JSON.stringify(value)));
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalize(value);
        const again = parseStrictJson(text);
        expect(canonicalize(again)).to.equal(text);
        expect(JSON.parse(text)).to.deep.equal(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('refuses what is not JSON', async () => {
    const holes: unknown[] = [1];
    holes[2] = 3;
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const refused = [
      undefined,
      { a: undefined },
      Number.NaN,
      Infinity,
      1n,
      Symbol('s'),
      () => 1,
      new Date(0),
      Buffer.from('a'),
      new Map(),
      holes,
      circle,
      '\ud800',
      { '\udc00': 1 },
      { [Symbol('s')]: 1 },
    ];
    for (const value of refused) await refusal('E_JSON', () => canonicalize(value));
  });
});

describe('canonicalizeSigned', () => {
  it('gives the digest of the approval request, whatever the order of its members', () => {
    for (const text of [APPROVAL.jcs, APPROVAL.keyOrderShuffledInput]) {
      const canonical = canonicalizeSigned(parseStrictJson(text));
      expect(canonical).to.equal(APPROVAL.jcs);
      expect(Buffer.from(canonical).toString('hex')).to.equal(APPROVAL.jcsUtf8Hex);
      const digest = sm3(hex(APPROVAL.prefixHex), Buffer.from(canonical)).toString('hex');
      expect(digest).to.equal(APPROVAL.requestDigestHex);
    }
  });

  it('gives another digest for every change that must be seen', () => {
    const body = parseStrictJson(APPROVAL.jcs) as { params: object };
    const nul = Buffer.alloc(1);
    const digests: Readonly<Record<string, Buffer>> = {
      'prefix-decision': sm3(Buffer.from('KMC-APPROVAL-V1'), nul, Buffer.from(APPROVAL.jcs)),
      'no-prefix': sm3(Buffer.from(APPROVAL.jcs)),
      'no-nul': sm3(Buffer.from('KMC-REQUEST-V1'), Buffer.from(APPROVAL.jcs)),
      'param-changed': sm3(
        hex(APPROVAL.prefixHex),
        Buffer.from(canonicalizeSigned({ ...body, params: { ...body.params, bundleVersion: '44' } })),
      ),
      'target-version-changed': sm3(
        hex(APPROVAL.prefixHex),
        Buffer.from(canonicalizeSigned({ ...body, targetVersion: '18' })),
      ),
    };
    for (const { id, sm3Hex } of APPROVAL.mustDiffer) expect(digests[id]?.toString('hex'), id).to.equal(sm3Hex);
  });

  it('refuses numbers, nulls, and text that is not NFC', async () => {
    for (const value of [1, { a: 0 }, [null], { a: null }, 'e\u0301', { 'e\u0301': 'x' }, ['\u212b']]) {
      await refusal('E_JSON', () => canonicalizeSigned(value));
    }
    expect(canonicalizeSigned({ b: ['é', true], a: '中文' })).to.equal('{"a":"中文","b":["é",true]}');
  });
});
