import { expect } from 'chai';
import { readAppointment, readRoleGrant, sideOf } from '../../src/domain/appointment.ts';
import { refusal } from '../crypto/refusal.ts';
import { POLICIES } from './approval/cast.ts';

const { regions } = POLICIES;
const PARAMS = {
  name: 'CA Owner 1',
  unit: 'pki',
  organisation: 'kmc',
  roles: [{ role: 'ca-owner' }],
  certificate: 'AAEC',
};

describe('an appointment', () => {
  it('is read with its roles and the octets of the certificate', () => {
    const read = readAppointment({ ...PARAMS, region: '110000' }, regions);
    expect(read).to.deep.equal({ ...PARAMS, region: '110000', certificate: Buffer.from([0, 1, 2]) });
  });

  it('is refused with base64 that is not canonical, and with text that hides characters', async () => {
    for (const change of [{ certificate: 'AAE' }, { certificate: 'AA=E' }, { certificate: '' }, { name: 'Li‮Hua' }]) {
      await refusal('E_SCHEMA', () => readAppointment({ ...PARAMS, ...change }, regions));
    }
  });

  it('knows regional roles from the others', async () => {
    expect(readRoleGrant({ role: 'ra-operator', region: '110000' }, regions)).to.include({ region: '110000' });
    await refusal('E_SCHEMA', () => readRoleGrant({ role: 'ra-operator' }, regions));
    await refusal('E_SCHEMA', () => readRoleGrant({ role: 'auditor', region: '110000' }, regions));
  });

  it('is on the audit side with any audit role, and on none with a role of ceremonies alone', () => {
    expect(sideOf([{ role: 'auditor' }])).to.equal('audit');
    expect(sideOf([{ role: 'ca-owner' }, { role: 'witness' }])).to.equal('operating');
    expect(sideOf([{ role: 'witness' }])).to.equal(undefined);
    expect(sideOf([])).to.equal(undefined);
  });
});
