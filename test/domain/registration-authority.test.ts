import { expect } from 'chai';
import { ACTIONS } from '../../src/domain/action.ts';
import { AUDIT_ACTIONS } from '../../src/domain/audit/actions.ts';
import {
  AUTHORITY_TRANSITIONS,
  dayOf,
  REGISTRATION_AUTHORITY_STATES,
  requireRegistrable,
  stateAfter,
  type AuthorityAct,
  type RegistrationTerms,
} from '../../src/domain/registration-authority.ts';
import { refusal } from '../crypto/refusal.ts';

const ACTS = Object.keys(AUTHORITY_TRANSITIONS) as AuthorityAct[];
/** The way into service, and every other step: written out, so that a change of the table is a change here. */
const STEPS: Readonly<Record<string, string>> = {
  'attest-documents applied': 'documents-attested',
  'attest-premises documents-attested': 'premises-attested',
  'appoint-operators premises-attested': 'operators-appointed',
  'open operators-appointed': 'in-service',
  'suspend in-service': 'suspended',
  'resume suspended': 'in-service',
  ...Object.fromEntries(
    ['applied', 'documents-attested', 'premises-attested', 'operators-appointed', 'in-service', 'suspended'].flatMap(
      (state) => [
        [`close ${state}`, 'closed'],
        [`amend ${state}`, state],
      ],
    ),
  ),
};

const TERMS: RegistrationTerms = { state: 'in-service', profiles: ['gateway'], devices: 10, devicesPerDay: 4 };

describe('a registration authority', () => {
  it('takes the steps of the table and no others', async () => {
    for (const act of ACTS) {
      for (const state of REGISTRATION_AUTHORITY_STATES) {
        const to = STEPS[`${act.split('.')[1]} ${state}`];
        if (to === undefined) await refusal('E_STATE', () => stateAfter(act, state));
        else expect(stateAfter(act, state), `${act} from ${state}`).to.equal(to);
      }
    }
  });

  it('has an act of dual control and an action of the audit log for each step', () => {
    for (const act of ACTS) {
      expect(ACTIONS[act]).to.include({ target: 'registration-authority', regional: true });
      expect(ACTIONS[act].class).to.equal(['open', 'close'].includes(act.split('.')[1] ?? '') ? 'L3' : 'L2');
      expect(Object.keys(AUDIT_ACTIONS)).to.include(act.replace('registration-authority', 'registrar'));
    }
  });

  it('registers while it is in service, with its profiles, within its quotas', async () => {
    const gateways = (count: number) => Array.from({ length: count }, () => 'gateway');
    requireRegistrable(TERMS, { devices: 6, today: 0 }, gateways(4));
    await refusal('E_QUOTA', () => requireRegistrable(TERMS, { devices: 7, today: 0 }, gateways(4)));
    await refusal('E_QUOTA', () => requireRegistrable(TERMS, { devices: 0, today: 1 }, gateways(4)));
    await refusal('E_POLICY', () => requireRegistrable(TERMS, { devices: 0, today: 0 }, ['gateway', 'hub-gateway']));
    for (const state of REGISTRATION_AUTHORITY_STATES.filter((each) => each !== 'in-service')) {
      await refusal('E_STATE', () => requireRegistrable({ ...TERMS, state }, { devices: 0, today: 0 }, gateways(1)));
    }
  });

  it('counts a day from midnight UTC', () => {
    expect(dayOf(new Date('2026-11-25T23:59:59.999Z')).toISOString()).to.equal('2026-11-25T00:00:00.000Z');
    expect(dayOf(new Date('2026-11-26T00:00:00.000Z')).toISOString()).to.equal('2026-11-26T00:00:00.000Z');
  });
});
