import { expect } from 'chai';
import { ShareBackOff } from '../../../src/flows/keystore/share-back-off.ts';
import { KmcError } from '../../../src/errors.ts';

const START = new Date('2026-12-01T08:00:00.000Z');
const after = (seconds: number): Date => new Date(START.getTime() + seconds * 1000);

function waitOf(backOff: ShareBackOff, person: string, now: Date): number {
  try {
    backOff.check(person, now);
    return 0;
  } catch (error) {
    if (!(error instanceof KmcError)) throw error;
    expect(error.code).to.equal('E_RATE');
    return error.retryAfter ?? -1;
  }
}

describe('back-off after wrong shares', () => {
  it('doubles with each wrong share up to ten minutes', () => {
    const backOff = new ShareBackOff();
    const waits = Array.from({ length: 40 }, () => {
      backOff.failed('p-1', START);
      return waitOf(backOff, 'p-1', START);
    });
    expect(waits.slice(0, 10)).to.deep.equal([2, 4, 8, 16, 32, 64, 128, 256, 512, 600]);
    expect(waits.at(-1)).to.equal(600);
  });

  it('ends to the second, and is of one person alone', () => {
    const backOff = new ShareBackOff();
    backOff.failed('p-1', START);
    expect(waitOf(backOff, 'p-1', after(1))).to.equal(1);
    expect(waitOf(backOff, 'p-1', after(2))).to.equal(0);
    expect(waitOf(backOff, 'p-2', START)).to.equal(0);
    expect(backOff.countOf('p-2')).to.equal(0);
  });

  it('starts anew after a right share', () => {
    const backOff = new ShareBackOff();
    for (let count = 0; count < 3; count += 1) backOff.failed('p-1', START);
    backOff.succeeded('p-1');
    expect(waitOf(backOff, 'p-1', START)).to.equal(0);
    backOff.failed('p-1', START);
    expect(waitOf(backOff, 'p-1', START)).to.equal(2);
  });
});
