import { expect } from 'chai';
import { csvField } from '../../src/domain/csv-field.ts';

describe('csvField', () => {
  it('quotes every field and doubles the quotation marks in it', () => {
    expect(csvField('a "b", c')).to.equal('"a ""b"", c"');
    expect(csvField('')).to.equal('""');
  });

  it('makes what a spreadsheet would take for a formula inert, also behind white space', () => {
    for (const text of ['=1+1', '+1', '-1', '@a', '\t=1', '\r=1', ' =1', '\u00a0@a', '|x', '%x']) {
      expect(csvField(text), JSON.stringify(text)).to.equal(`"'${text}"`);
    }
    expect(csvField('1-1')).to.equal('"1-1"');
  });
});
