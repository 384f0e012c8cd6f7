import { expect } from 'chai';
import { estLabel, requireGift } from '../../src/domain/est.ts';
import { POLICIES } from '../fixtures/estate.ts';
import { refusalOf } from './refusal.ts';

describe('labels of EST', () => {
  it('name a device profile, or the certificate profile of its signing half; without one they stand for gateways', () => {
    expect(estLabel(POLICIES, undefined)).to.deep.equal(estLabel(POLICIES, 'gateway'));
    expect(estLabel(POLICIES, 'gateway').gives).to.deep.equal(['signing', 'pair']);
    expect(estLabel(POLICIES, 'legacy-gateway').gives).to.deep.equal(['signing']);
    const half = estLabel(POLICIES, 'gateway-sign');
    expect(half).to.deep.equal({
      deviceProfiles: ['gateway', 'hub-gateway', 'package-gateway', 'token-gateway'],
      gives: ['signing'],
      certificateProfile: 'gateway-sign',
    });
  });

  it('are not there for certificate profiles that no device has, and for members of objects', () => {
    for (const name of ['administrator', 'gateway-enc', 'nobody', 'constructor', '__proto__']) {
      expect(refusalOf(() => estLabel(POLICIES, name))?.code, name).to.equal('E_NOT_FOUND');
    }
  });

  it('give each operation to the devices of their profile only', () => {
    const gateway = { profile: 'gateway' };
    const code = (label: string | undefined, device: { profile: string }, gift: 'signing' | 'pair') =>
      refusalOf(() => requireGift(POLICIES, label, device, gift))?.code;
    for (const label of [undefined, 'gateway']) {
      for (const gift of ['signing', 'pair'] as const) expect(code(label, gateway, gift)).to.equal(undefined);
    }
    expect(code('gateway-sign', gateway, 'signing')).to.equal(undefined);
    expect(code('gateway-sign', gateway, 'pair')).to.equal('E_POLICY');
    expect(code('hub-gateway', gateway, 'pair')).to.equal('E_POLICY');
    expect(code(undefined, { profile: 'legacy-gateway' }, 'pair')).to.equal('E_POLICY');
  });
});
