import { expect } from 'chai';
import { listAlarms } from '../../../src/flows/alarms/list-alarms.ts';
import { watchAlarms } from '../../../src/flows/alarms/watch-alarms.ts';
import { publishAllCrls } from '../../../src/flows/certificates/publish-all-crls.ts';
import { readTargets } from '../../../src/flows/targets/read-targets.ts';
import { addDays } from '../../../src/domain/supervision/figures.ts';
import type { FigureCell } from '../../../src/domain/supervision/measures.ts';
import { refusal } from '../../crypto/refusal.ts';
import { SYSTEM, testInstance } from '../../fixtures/instance.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { storePair } from '../certificates/device-pair.ts';
import { carryOut, propose } from '../people/people-acts.ts';

const DAY = 86_400;
const PAGE = { limit: 1_000 };

forEachDatabase('alarms and targets', (fixture) => {
  const test = testInstance(fixture);
  const watch = () => watchAlarms(test().instance, SYSTEM);
  const open = async () =>
    (await test().database.read((reader) => reader.alarms.open())).map(({ kind, subject }) => `${kind} ${subject}`);
  const today = () => test().clock.now().toISOString().slice(0, 10);
  const issued = (day: string, value: number): FigureCell => ({
    measure: 'certificate.issued',
    day,
    value,
    region: '110000',
    registrar: 'ra-110000',
    profile: 'gateway-sign',
    algorithm: 'SM2',
    label: '-',
  });
  const book = (cells: readonly FigureCell[]) => test().database.transaction((tx) => tx.supervision.add(cells));

  it('tell of authorities without two operators until they have them, each once and as an event', async () => {
    // Beijing has three operators, Tianjin one, the others nobody.
    const { raised } = await watch();
    expect(raised).to.have.length(31);
    expect((await watch()).raised).to.deep.equal([]);
    expect(await open())
      .to.include('operators-missing ra-120000')
      .and.not.to.include('operators-missing ra-110000');
    const { raTwo, raElsewhere, raOne, auditor } = test().people;
    await carryOut(test(), {
      op: 'person.grant-role',
      targetId: raTwo.id,
      params: { role: 'ra-operator', region: '120000' },
    });
    const [cleared] = (await watch()).cleared;
    expect(cleared).to.include({ kind: 'operators-missing', subject: 'ra-120000' });
    const history = await test().history('alarm', cleared?.id ?? '');
    expect(history.map(({ act }) => act)).to.deep.equal(['alarm.raise', 'alarm.clear']);
    const seen = async (caller: typeof auditor.caller, filter = {}) =>
      (await listAlarms(test().instance, caller, filter, PAGE)).map(({ region }) => region);
    expect(await seen(auditor.caller, { open: true })).to.have.length(30);
    expect(await seen(raElsewhere.caller)).to.deep.equal(['120000']);
    expect(await seen(raElsewhere.caller, { open: true })).to.deep.equal([]);
    await refusal('E_NOT_FOUND', () => seen(raOne.caller, { region: '120000' }));
  });

  it('are raised once by however many look at the same time', async () => {
    const all = await Promise.all([watch(), watch(), watch()]);
    expect(all.flatMap(({ raised }) => raised)).to.have.length(31);
    expect(await open()).to.have.length(31);
  });

  it('tell of renewals that are overdue, of CRLs out of date, and of requests that wait', async () => {
    await publishAllCrls(test().instance, SYSTEM, 'sm2-issuing');
    const { sign } = await storePair(test(), fixture);
    await fixture.sql("update devices set status = 'in-service', registration_authority = 'ra-110000'");
    const leave = { op: 'person.leave' as const, targetId: test().people.raThree.id, params: {} };
    const { request } = await propose(test(), leave);
    await watch();
    expect(await open()).not.to.include(`approval-waiting ${request.id}`);
    test().clock.advance(3 * DAY);
    await watch();
    expect(await open()).to.include(`approval-waiting ${request.id}`);
    test().clock.advance(5 * DAY);
    await watch();
    const stale = await open();
    expect(stale).to.include('crl-stale sm2-issuing/complete').and.to.include('crl-stale sm2-issuing/110000');
    // Its time is over: it does not wait any more.
    expect(stale).not.to.include(`approval-waiting ${request.id}`);
    await publishAllCrls(test().instance, SYSTEM, 'sm2-issuing');
    test().clock.advance((sign.notAfter.getTime() - test().clock.now().getTime()) / 1000 - 13 * DAY);
    await watch();
    expect(await open()).to.include('renewal-overdue ra-110000');
  });

  it('tell of unusually many certificates on a day, by the totals of the days before', async () => {
    const days = Array.from({ length: 29 }, (_, back) => issued(addDays(today(), -1 - back), 10));
    await book([...days, issued(today(), 30)]);
    await watch();
    expect(await open()).not.to.include('issuance-unusual ra-110000');
    await book([issued(today(), 1)]);
    await watch();
    expect(await open()).to.include('issuance-unusual ra-110000');
  });

  it('and the targets tell how far each authority is and when it arrives', async () => {
    const { instance, people } = test();
    const days = Array.from({ length: 90 }, (_, back) => issued(addDays(today(), -back), 10));
    const live: FigureCell = { ...issued(addDays(today(), 400), 1_000), measure: 'certificate.live' };
    await book([...days, live]);
    const { total, authorities } = await readTargets(instance, people.auditor.caller);
    expect(total).to.include({ target: 150_000, valid: 1_000, missing: 149_000, perDay: 10 });
    expect(total?.reachedOn).to.equal(undefined);
    expect(authorities).to.have.length(32);
    const beijing = authorities.find(({ region }) => region === '110000');
    expect(beijing).to.include({
      target: 10_000,
      valid: 1_000,
      missing: 9_000,
      perDay: 10,
      reachedOn: addDays(today(), 900),
    });
    const own = await readTargets(instance, people.raElsewhere.caller);
    expect([own.total, own.authorities.map(({ id }) => id)]).to.deep.equal([undefined, ['ra-120000']]);
    await refusal('E_NOT_FOUND', () => readTargets(instance, people.raElsewhere.caller, '110000'));
  });
});
