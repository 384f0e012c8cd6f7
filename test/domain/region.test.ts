import { expect } from 'chai';
import { findRegion, isPartition, partitions, REGION_COUNTS } from '../../src/domain/region.ts';
import { POLICIES } from './approval/cast.ts';
import { refusalOf } from './refusal.ts';

/** GB/T 2260, first two digits of the 31 provinces. */
const PROVINCES = '11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65'.split(
  ' ',
);

describe('the regions', () => {
  it('are the national centre, 31 provinces and the corps', () => {
    const { regions } = POLICIES;
    expect(regions.filter((region) => region.kind === 'province').map((region) => region.code)).to.deep.equal(
      PROVINCES.map((digits) => `${digits}0000`),
    );
    expect(regions.filter((region) => region.kind !== 'province').map((region) => region.code)).to.deep.equal([
      '100000',
      '660000',
    ]);
    expect(regions).to.have.length(REGION_COUNTS.national + REGION_COUNTS.province + REGION_COUNTS.corps);
  });

  it('have names in English and Chinese', () => {
    expect(findRegion(POLICIES.regions, '650000').name).to.deep.equal({ en: 'Xinjiang', zh: '新疆维吾尔自治区' });
    for (const region of POLICIES.regions) {
      expect(region.name.en).to.match(/^[A-Za-z ]+$/);
      expect(region.name.zh).to.match(/^\p{Script=Han}+$/u);
    }
  });

  it('make 32 partitions: the provinces and the corps', () => {
    expect(partitions(POLICIES.regions)).to.have.length(32);
    expect(isPartition(POLICIES.regions, '660000')).to.equal(true);
    expect(isPartition(POLICIES.regions, '100000'), 'the national centre is no province').to.equal(false);
    expect(isPartition(POLICIES.regions, undefined)).to.equal(false);
  });

  it('have a registration authority each, and the targets of the estate', () => {
    expect(new Set(POLICIES.registrationAuthorities.map((authority) => authority.region)).size).to.equal(32);
    expect(POLICIES.targets).to.deep.equal({ certificates: 150_000, perRegistrationAuthority: 10_000 });
  });

  it('refuse a code that nobody has', () => {
    expect(refusalOf(() => findRegion(POLICIES.regions, '990000'))?.code).to.equal('E_NOT_FOUND');
  });
});
