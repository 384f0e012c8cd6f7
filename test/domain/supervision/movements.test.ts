import { expect } from 'chai';
import { encodeAuditEvent, type AuditEventInput } from '../../../src/domain/audit/event.ts';
import { parseAuditRecord } from '../../../src/domain/audit/record.ts';
import { newId } from '../../../src/domain/id.ts';
import { figuresOf, type FigurePeriod } from '../../../src/domain/supervision/figures.ts';
import { movementsOf } from '../../../src/domain/supervision/movements.ts';
import { FigureTotals, differencesOf } from '../../../src/domain/supervision/totals.ts';

const AT = new Date('2026-11-20T10:00:00.000Z');
const PLACE = { region: '110000', registrationAuthority: 'ra-110000' };
const DEVICE = { ...PLACE, model: 'SG-1', profile: 'gateway' };
const PERIOD: FigurePeriod = { day: '2026-11-20', from: '2026-11-01', to: '2026-11-30', expiringDays: 30 };

function eventOf(
  action: AuditEventInput['action'],
  detail: AuditEventInput['detail'],
  more: Partial<AuditEventInput> = {},
) {
  const input: AuditEventInput = {
    id: newId('ev', AT),
    action,
    outcome: 'success',
    subjects: [{ type: 'device', id: 'dev-1' }],
    actor: { type: 'system', id: 'node-1' },
    source: { node: 'node-1' },
    detail,
    ...more,
  };
  return encodeAuditEvent(input, { log: 'kmc.example.org/audit/2026', at: AT, heads: new Map() }).canon;
}

function figuresAfter(...events: readonly Buffer[]) {
  const totals = new FigureTotals();
  for (const event of events) totals.addEvent(event);
  return figuresOf(totals.cells(), PERIOD);
}

const ENROLLED = eventOf('enrolment.complete', {
  ...DEVICE,
  algorithm: 'SM2',
  authority: 'sm2-issuing',
  deviceFrom: 'registered',
  encryptionKid: `sm3:${'0'.repeat(64)}`,
  encryptionNotAfter: '2027-11-20T10:00:00Z',
  encryptionProfile: 'gateway-enc',
  encryptionSerial: '02',
  signNotAfter: '2026-12-10T10:00:00Z',
  signProfile: 'gateway-sign',
  signSerial: '01',
});

describe('movements of supervision', () => {
  it('an enrolment is two certificates of their profiles, a key given and a device in service', () => {
    const registered = eventOf('device.register', { ...DEVICE, to: 'registered' });
    const { total, regions, profiles, models, registrationAuthorities } = figuresAfter(registered, ENROLLED);
    expect(total.certificates).to.include({ valid: 2, expiring: 1, issued: 2 });
    expect(total.devices).to.include({ registered: 0, 'in-service': 1 });
    expect(total.keys).to.include({ given: 1 });
    expect(regions.map(({ name }) => name)).to.deep.equal(['110000']);
    expect(registrationAuthorities[0]?.sums.certificates.valid).to.equal(2);
    expect(profiles.map(({ name, sums }) => [name, sums.certificates.valid])).to.deep.equal([
      ['gateway', 0],
      ['gateway-enc', 1],
      ['gateway-sign', 1],
    ]);
    expect(models.map(({ name, sums }) => [name, sums.devices['in-service']])).to.deep.equal([['SG-1', 1]]);
  });

  it('a certificate that is held and released, or held and revoked, is counted once wherever it stands', () => {
    const of = { algorithm: 'SM2', ...PLACE, profile: 'gateway-sign', notAfter: '2026-12-10T10:00:00Z', serial: '01' };
    const hold = eventOf('certificate.suspend', { ...of, from: 'good' });
    expect(figuresAfter(ENROLLED, hold).total.certificates).to.include({ valid: 1, held: 1, expiring: 0 });
    const release = eventOf('certificate.unsuspend', of);
    expect(figuresAfter(ENROLLED, hold, release).total.certificates).to.include({ valid: 2, held: 0 });
    const revoke = eventOf('certificate.revoke', { ...of, from: 'on-hold', reason: 'keyCompromise' });
    const revoked = figuresAfter(ENROLLED, hold, revoke);
    expect(revoked.total.certificates).to.include({ valid: 1, held: 0, revoked: 1 });
    expect(revoked.revocations).to.deep.equal({ keyCompromise: 1 });
  });

  it('a certificate that is over is valid no more, through the day of its end it is', () => {
    const totals = new FigureTotals();
    totals.addEvent(ENROLLED);
    const validOn = (day: string): number => figuresOf(totals.cells(), { ...PERIOD, day }).total.certificates.valid;
    expect([validOn('2026-12-10'), validOn('2026-12-11'), validOn('2027-11-21')]).to.deep.equal([2, 1, 0]);
  });

  it('requests wait while people decide, and enrolments while their approval is open', () => {
    const request = { action: 'device.decommission', region: '110000' };
    const created = eventOf('request.create', { ...request, to: 'OPEN' });
    const quorum = eventOf('request.quorum', { ...request, from: 'OPEN', to: 'QUORUM' });
    const executing = eventOf('request.execute', { ...request, from: 'QUORUM', to: 'EXECUTING' }, { phase: 'intent' });
    expect(figuresAfter(created, quorum).total.requests).to.deep.equal({ created: 1, waiting: 1 });
    expect(figuresAfter(created, quorum, executing).total.requests).to.deep.equal({ created: 1, waiting: 0 });
    const asked = eventOf('enrolment.request', DEVICE);
    expect(figuresAfter(asked).total.enrolments.waiting).to.equal(1);
    const expired = eventOf('enrolment.expire', { ...DEVICE, from: 'PENDING' });
    expect(figuresAfter(asked, expired).total.enrolments).to.include({ waiting: 0, expired: 1 });
  });

  it('a refusal counts as one, and neither an intent nor a failure issues anything', () => {
    const refused = eventOf('enrolment.request', DEVICE, { outcome: 'denied', code: 'E_FORBIDDEN' });
    expect(figuresAfter(refused).refusals).to.deep.equal({ E_FORBIDDEN: 1 });
    const of = { algorithm: 'SM2', profile: 'ocsp', notAfter: '2027-01-01T00:00:00Z', serial: '05' };
    const intent = eventOf('certificate.issue', of, { phase: 'intent' });
    const failure = eventOf('certificate.issue', of, { outcome: 'failure', code: 'E_SEALED' });
    expect(figuresAfter(intent, failure).total.certificates.issued).to.equal(0);
    expect(figuresAfter(eventOf('certificate.issue', of)).total.certificates).to.include({ issued: 1, valid: 1 });
  });

  it('an inventory that is imported counts by its groups', () => {
    const of = { algorithm: 'RSA', authority: 'rsa', profile: 'legacy-gateway', notAfter: '2028-01-01T00:00:00Z' };
    const { total, algorithms } = figuresAfter(
      eventOf('certificate.import', { ...of, count: 40, from: 'good' }),
      eventOf('certificate.import', { ...of, count: 2, from: 'on-hold' }),
      eventOf('certificate.import', { ...of, count: 3, from: 'revoked' }),
    );
    expect(total.certificates).to.include({ imported: 45, valid: 40, held: 2, revoked: 0 });
    expect(algorithms.map(({ name }) => name)).to.deep.equal(['RSA']);
  });

  it('an event from before the end of a certificate stood in it is counted as not to be booked', () => {
    const { total, unattributed } = figuresAfter(
      eventOf('certificate.revoke', { serial: '01', profile: 'gateway-sign' }),
    );
    expect(total.certificates).to.include({ revoked: 1, valid: 0 });
    expect(unattributed).to.equal(1);
  });

  it('totals that differ are named, each with both numbers', () => {
    const totals = new FigureTotals();
    totals.addEvent(ENROLLED);
    const cells = totals.cells();
    const dressedUp = cells.map((cell) =>
      cell.profile === 'gateway-enc' && cell.measure === 'certificate.live' ? { ...cell, value: 9 } : cell,
    );
    expect(differencesOf(cells, cells)).to.deep.equal([]);
    expect(differencesOf(dressedUp, cells)).to.deep.equal([
      {
        figure: 'certificate.live 2027-11-20 region 110000 registrar ra-110000 profile gateway-enc algorithm SM2',
        stated: 9,
        computed: 1,
      },
    ]);
    expect(movementsOf(parseAuditRecord(eventOf('audit.pull', {})))).to.deep.equal([]);
  });
});
