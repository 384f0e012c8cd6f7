import { expect } from 'chai';
import * as fc from 'fast-check';
import { nameTextFault } from '../../src/x509/name-text.ts';

const ACCEPTED: readonly (readonly [string, string])[] = [
  ['Latin with digits', 'gw-001 node 7'],
  ['Han', '国家电子政务外网'],
  ['Han with Latin letters and digits', '北京市海淀区CA中心2号网关 G2'],
  ['Han with full-width brackets', '数据局（北京）'],
  ['Han with an ideographic space', '密钥　处'],
  ['a rare Han character outside the basic plane', '𠮷野'],
  ['Latin with accents', 'Zürich'],
  ['Cyrillic alone', 'Москва'],
  ['Greek alone', 'Αθήνα'],
  ['Cyrillic with Han and digits', 'Москва 莫斯科 1'],
  ['Tibetan', 'བོད་ལྗོངས'],
  ['Uyghur', 'شىنجاڭ'],
];

const REFUSED: readonly (readonly [string, string, string])[] = [
  ['nothing', '', 'empty'],
  ['NUL', 'a\u0000b', 'control'],
  ['a line feed', 'a\nb', 'control'],
  ['a carriage return', 'a\rb', 'control'],
  ['ESC', '\u001b[31m', 'control'],
  ['a C1 control', 'a\u0085b', 'control'],
  ['DEL', 'a\u007f', 'control'],
  ['a right-to-left override', 'gw\u202e100', 'direction'],
  ['a left-to-right isolate', 'gw\u2066100', 'direction'],
  ['an Arabic letter mark', 'gw\u061c', 'direction'],
  ['a zero-width space', 'gw\u200b1', 'invisible'],
  ['a zero-width joiner', 'gw\u200d1', 'invisible'],
  ['a soft hyphen', 'gw\u00ad1', 'invisible'],
  ['a byte order mark', '\ufeffgw', 'invisible'],
  ['a tag character', 'gw\u{e0041}', 'invisible'],
  ['a line separator', 'a\u2028b', 'space'],
  ['a no-break space', 'a\u00a0b', 'space'],
  ['a private-use character', 'a\ue000', 'meaning'],
  ['a lone surrogate', 'a\ud800', 'meaning'],
  ['a noncharacter', 'a\uffff', 'meaning'],
  ['a replacement character', 'a\ufffd', 'meaning'],
  ['a leading space', ' a', 'begins or ends'],
  ['a trailing ideographic space', '处\u3000', 'begins or ends'],
  ['decomposed accents', 'Zu\u0308rich', 'form C'],
  ['Latin with a Cyrillic а', 'b\u0430nk', 'look-alike'],
  ['Latin with a Greek ο', 'r\u03bfot', 'look-alike'],
  ['Greek with Cyrillic', 'Αθήνα Москва', 'look-alike'],
  ['Han and Latin with a Cyrillic е', '国家gat\u0435way', 'look-alike'],
];

describe('nameTextFault', () => {
  for (const [what, text] of ACCEPTED) {
    it(`accepts ${what}`, () => expect(nameTextFault(text)).to.equal(undefined));
  }
  for (const [what, text, fault] of REFUSED) {
    it(`refuses ${what}`, () => expect(nameTextFault(text)).to.include(fault));
  }

  it('never lets a control or format character pass, wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.constantFrom('\u0000', '\u001f', '\u0080', '\u202e', '\u200b', '\u2069'),
        fc.string(),
        (before, bad, after) => {
          expect(nameTextFault(before + bad + after)).to.be.a('string');
        },
      ),
    );
  });
});
