import { expect } from 'chai';
import * as fc from 'fast-check';
import { plainText, readSignedTime, requireMembers, signedTime, textLike } from '../../src/domain/signed-body.ts';
import { refusalOf } from './refusal.ts';

describe('a signed body', () => {
  it('writes times in whole seconds of UTC and reads exactly these', () => {
    expect(signedTime(new Date('2026-11-25T08:00:00.999Z'))).to.equal('2026-11-25T08:00:00Z');
    expect(readSignedTime('2026-11-25T08:00:00Z')?.getTime()).to.equal(Date.UTC(2026, 10, 25, 8));
    for (const text of [
      '2026-11-25T08:00:00.000Z',
      '2026-11-25T08:00:00+08:00',
      '2026-13-01T00:00:00Z',
      '2026-02-29T00:00:00Z',
      '2026-11-25T24:00:00Z',
      '2026-11-25 08:00:00Z',
      '',
    ]) {
      expect(readSignedTime(text), text).to.equal(undefined);
    }
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date('2200-01-01'), noInvalidDate: true }), (date) => {
        const text = signedTime(date);
        const read = readSignedTime(text);
        expect(read === undefined ? undefined : signedTime(read)).to.equal(text);
      }),
    );
  });

  it('names each member that does not fit by its JSON pointer', () => {
    const checks = { id: textLike(/^x$/, 'x'), note: plainText(5) };
    const refusal = refusalOf(() =>
      requireMembers<{ id: string; note: string }>({ id: 'y', 'a/b~c': 1 }, checks, 'thing'),
    );
    expect(refusal?.pointers).to.deep.equal([
      { pointer: '/id', detail: 'must be x' },
      { pointer: '/note', detail: 'is missing' },
      { pointer: '/a~1b~0c', detail: 'is not known here' },
    ]);
  });

  it('does not take an inherited member for one of its own', () => {
    const inherited: unknown = Object.create({ id: 'x', note: 'y' });
    const checks = { id: textLike(/^x$/, 'x'), note: plainText(5) };
    expect(refusalOf(() => requireMembers<{ id: string; note: string }>(inherited, checks, 'thing'))?.code).to.equal(
      'E_SCHEMA',
    );
  });

  for (const value of [null, 1, 'text', [], undefined]) {
    it(`is no ${JSON.stringify(value) ?? 'undefined'}`, () => {
      expect(refusalOf(() => requireMembers<{ id: string }>(value, { id: plainText(5) }, 'thing'))?.code).to.equal(
        'E_SCHEMA',
      );
    });
  }
});
