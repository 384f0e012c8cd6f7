import { expect } from 'chai';
import fc from 'fast-check';
import { contextOctets } from '../../src/domain/data-context.ts';
import { KEY_STATE_NAMES, type KeyState } from '../../src/domain/key-state.ts';
import { requireProcessing, requireProtecting, useBlock } from '../../src/domain/managed-key.ts';
import { POLICIES } from './approval/cast.ts';

const AT = new Date('2026-12-01T08:00:00Z');
const ACTIVE = { state: 'active', activatedAt: AT } as const;

function codeOf(work: () => void): string {
  try {
    work();
    return 'may';
  } catch (error) {
    return String((error as { code?: unknown }).code);
  }
}

describe('a managed key', () => {
  it('protects in the state active alone, and processes as the table of states says', () => {
    const protects = (state: KeyState): string =>
      codeOf(() => requireProtecting('sm4', { ...ACTIVE, state }, POLICIES.cryptoPeriods, AT));
    const processes = (state: KeyState): string =>
      codeOf(() => requireProcessing('sm4', { ...ACTIVE, state }, ACTIVE, POLICIES.cryptoPeriods, AT));
    for (const state of KEY_STATE_NAMES) {
      expect(protects(state), state).to.equal(state === 'active' ? 'may' : 'E_STATE');
      const readable = ['active', 'deactivated', 'compromised'].includes(state);
      expect(processes(state), state).to.equal(readable ? 'may' : 'E_STATE');
    }
  });

  it('does nothing with any version while its current one is suspended or waits for destruction', () => {
    for (const state of KEY_STATE_NAMES) {
      const current = { ...ACTIVE, state };
      const stops = state === 'suspended' || state === 'destroy-pending';
      const found = codeOf(() => requireProcessing('sm4', ACTIVE, current, POLICIES.cryptoPeriods, AT));
      expect(found, state).to.equal(stops ? 'E_STATE' : 'may');
    }
  });

  it('ends at the second in which its periods end', () => {
    const { originateSeconds, processSeconds = 0 } = POLICIES.cryptoPeriods['managed-data-encryption'];
    const later = (seconds: number): Date => new Date(AT.getTime() + seconds * 1000);
    const protects = (at: Date): string => codeOf(() => requireProtecting('sm4', ACTIVE, POLICIES.cryptoPeriods, at));
    const processes = (at: Date): string =>
      codeOf(() => requireProcessing('sm4', ACTIVE, ACTIVE, POLICIES.cryptoPeriods, at));
    expect([-1, 0, 1].map((by) => protects(later(originateSeconds + by)))).to.deep.equal(['may', 'may', 'E_PERIOD']);
    const end = originateSeconds + processSeconds;
    expect([-1, 0, 1].map((by) => processes(later(end + by)))).to.deep.equal(['may', 'may', 'E_PERIOD']);
  });

  it('has its uses reserved in blocks that never pass what is left, and are never fewer than wanted', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 0, max: 100_000 }), (wanted, left) => {
        const block = useBlock(wanted, left);
        expect(block).to.be.at.most(left);
        expect(block === 0 || block >= wanted).to.equal(true);
        expect(block === 0).to.equal(left < wanted);
      }),
    );
    expect(useBlock(1, undefined)).to.equal(500);
  });
});

describe('the context of data', () => {
  it('has one form, whatever the order of its members', () => {
    expect(contextOctets({ b: '2', a: '1' }).toString()).to.equal('{"a":"1","b":"2"}');
    expect(contextOctets().toString()).to.equal('{}');
  });

  it('has up to 16 names and short texts', () => {
    const members = (count: number): Record<string, string> =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`n${at}`, 'x']));
    expect(contextOctets(members(16)).length).to.be.greaterThan(100);
    expect(codeOf(() => contextOctets(members(17)))).to.equal('E_SCHEMA');
    expect(codeOf(() => contextOctets({ '': 'x' }))).to.equal('E_SCHEMA');
    expect(codeOf(() => contextOctets({ a: 'x\u202ey' }))).to.equal('E_SCHEMA');
  });
});
