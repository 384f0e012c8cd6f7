import { expect } from 'chai';
import * as fc from 'fast-check';
import { MAX_YAML_BYTES, readStrictYaml } from '../../src/config/strict-yaml.ts';

function faultsOf(text: string | Uint8Array): string[] {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
  return (readStrictYaml(bytes).faults ?? []).map((fault) => `${fault.line} ${fault.rule}`);
}

describe('strict YAML', () => {
  const bad: Readonly<Record<string, readonly [string | Uint8Array, string]>> = {
    'a duplicate key': ['a: 1\nb: 2\na: 3\n', '3 yaml/duplicate-key'],
    'a duplicate key further down': ['a:\n  x: 1\n  y: 2\n  x: 3\n', '4 yaml/duplicate-key'],
    'a duplicate key in flow form': ['a: 1\nb: {x: 1, x: 2}\n', '2 yaml/duplicate-key'],
    'an anchor': ['a: &here 1\n', '1 yaml/anchor'],
    'an anchor on a list': ['a: 1\nb: &here [1]\n', '2 yaml/anchor'],
    'a merge key': ['a: 1\n<<: {b: 2}\n', '2 yaml/merge-key'],
    'a tag of our own': ['a: !secret x\n', '1 yaml/tag'],
    'a function': ['a: 1\nb: !!js/function "x"\n', '2 yaml/tag'],
    'a binary': ['a: !!binary aGk=\n', '1 yaml/tag'],
    'a tagged map': ['a: 1\nb: !!omap [x: 1]\n', '2 yaml/tag'],
    'a tag that changes nothing': ['a: !!str x\n', '1 yaml/tag'],
    'two documents': ['a: 1\n---\nb: 2\n', '2 yaml/documents'],
    'a number as key': ['a: 1\n2: x\n', '2 yaml/key'],
    'a list as key': ['a: 1\n? [x]\n: 2\n', '2 yaml/key'],
    'no value of a known form': ['a: [1\nb: 2\n', '2 yaml/syntax'],
    'a tabulator as indent': ['a:\n\tb: 1\n', '2 yaml/syntax'],
    'nothing at all': ['', '1 yaml/syntax'],
    'octets that are not UTF-8': [Buffer.from([0x61, 0x3a, 0x20, 0xff]), '1 yaml/encoding'],
    'a byte order mark': ['\uFEFFa: 1\n', '1 yaml/encoding'],
    'more than 64 KiB': [`a: ${'x'.repeat(MAX_YAML_BYTES)}`, '1 yaml/size'],
    'brackets without end': [`a: 1\nb: ${'['.repeat(40_000)}`, '2 yaml/syntax'],
    'braces without end': [`a: ${'{x: '.repeat(15_000)}`, '1 yaml/syntax'],
  };
  for (const [what, [text, first]] of Object.entries(bad)) {
    it(`with ${what} is refused, naming the line`, () => {
      expect(faultsOf(text)[0]).to.equal(first);
    });
  }

  it('with an alias is refused', () => {
    expect(faultsOf('a: &x 1\nb: *x\n')).to.include('2 yaml/anchor');
    expect(faultsOf('b: *x\n')[0]).to.equal('1 yaml/anchor');
  });

  it('gives the value, and the line of everything in it', () => {
    const { document } = readStrictYaml(Buffer.from('# head\na: "1"\nlist:\n  - {x: true}\n  - y: 2\n', 'utf8'));
    expect(document?.value).to.deep.equal({ a: '1', list: [{ x: true }, { y: 2 }] });
    expect(document?.lineOf(['a'])).to.equal(2);
    expect(document?.lineOf(['list', 0, 'x'])).to.equal(4);
    expect(document?.lineOf(['list', 1, 'y'])).to.equal(5);
    expect(document?.lineOf(['list', 7, 'missing'])).to.equal(3);
    expect(document?.lineOf(['nothing'])).to.equal(1);
  });

  it('knows the words of YAML 1.2 only', () => {
    const { document } = readStrictYaml(Buffer.from('a: no\nb: on\nc: 0o17\nd: 1_000\ne: ~\n', 'utf8'));
    expect(document?.value).to.deep.equal({ a: 'no', b: 'on', c: 15, d: '1_000', e: null });
  });

  it('never throws, whatever comes in', () => {
    const characters = fc.string({
      unit: fc.constantFrom(...'ab:-[]{}&*!?|><\'"#%@`\n\t ,0.~'.split('')),
      maxLength: 60,
    });
    fc.assert(
      fc.property(fc.oneof(characters, fc.string()), (text) => {
        const result = readStrictYaml(Buffer.from(text, 'utf8'));
        expect(result.document === undefined).to.equal(result.faults !== undefined);
      }),
      { numRuns: 1000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => void readStrictYaml(bytes)));
  });
});
