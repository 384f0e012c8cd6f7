import { expect } from 'chai';
import { CrlGuard, type GuardedEntry } from '../../src/domain/crl-guard.ts';

const AT = new Date('2026-11-01T00:00:00Z');
const entry = (serialNumber: string, reason?: 'certificateHold' | 'superseded' | 'removeFromCRL') => ({
  serialNumber,
  revocationDate: AT,
  ...(reason === undefined ? {} : { reason }),
});
const row = (serialNumber: string, revokedAt = AT) => ({ serialNumber, revokedAt });
function lost(last: readonly ReturnType<typeof entry>[], inventory: readonly GuardedEntry[]): string[] {
  const guard = new CrlGuard(last);
  for (const each of inventory) guard.see(each);
  return guard.lost().map(({ serialNumber }) => serialNumber);
}

describe('CrlGuard', () => {
  it('finds nothing when all entries stand there, more or fewer milliseconds aside', () => {
    expect(
      lost([entry('01'), entry('02')], [row('01'), row('02', new Date(AT.getTime() + 999)), row('03')]),
    ).to.deep.equal([]);
  });

  it('names an entry that is gone and one that has another date', () => {
    expect(lost([entry('01'), entry('02', 'superseded')], [row('02', new Date(AT.getTime() + 1000))])).to.deep.equal([
      '01',
      '02',
    ]);
  });

  it('lets an entry on hold have another date, and names one that is gone', () => {
    const later = new Date(AT.getTime() + 60_000);
    expect(lost([entry('01', 'certificateHold'), entry('02', 'certificateHold')], [row('01', later)])).to.deep.equal([
      '02',
    ]);
  });

  it('tells which entry a row keeps, and asks for no row of what a delta took off', () => {
    const guard = new CrlGuard([entry('01', 'superseded'), entry('02', 'removeFromCRL')]);
    expect(guard.see(row('01'))).to.deep.equal(entry('01', 'superseded'));
    expect(guard.see(row('03'))).to.equal(undefined);
    expect(guard.lost()).to.deep.equal([]);
  });
});
