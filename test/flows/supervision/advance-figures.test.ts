import { expect } from 'chai';
import { figuresOf } from '../../../src/domain/supervision/figures.ts';
import { periodOf, reportBytes } from '../../../src/domain/supervision/report.ts';
import { closingOf, Recomputation, type CopiedCheckpoint } from '../../../src/domain/supervision/recomputation.ts';
import { FigureTotals } from '../../../src/domain/supervision/totals.ts';
import { checkFigures } from '../../../src/flows/check/check-figures.ts';
import { advanceFigures } from '../../../src/flows/supervision/advance-figures.ts';
import type { KmcDatabase } from '../../../src/store/database.ts';
import { forEachDatabase } from '../../store/databases.ts';
import { deviceEvent, TestLog } from '../audit/test-log.ts';

const DAY = 86_400;

forEachDatabase('figures kept along with the log', (fixture) => {
  let log: TestLog;
  let database: KmcDatabase;

  beforeEach(async () => {
    log = await TestLog.make();
    database = await fixture.open({ audit: log.settings });
  });

  /** A device of a region is registered and enrols; then the log is signed. */
  async function enrol(device: string, region: string): Promise<void> {
    const of = { model: 'SG-1', profile: 'gateway', region, registrationAuthority: `ra-${region}` };
    const end = new Date(log.clock.now().getTime() + 100 * DAY * 1000).toISOString();
    await log.append(database, deviceEvent(device, { action: 'device.register', detail: { ...of, to: 'registered' } }));
    await log.append(
      database,
      deviceEvent(device, {
        action: 'enrolment.complete',
        detail: {
          ...of,
          algorithm: 'SM2',
          deviceFrom: 'registered',
          signNotAfter: `${end.slice(0, 19)}Z`,
          signProfile: 'gateway-sign',
          signSerial: '0a',
        },
      }),
    );
    await log.advance(database);
  }

  const book = (): Promise<number> => advanceFigures({ database, clock: log.clock }, 50);
  const figuresNow = async (regions?: readonly string[]) =>
    await database.read(async ({ supervision }) => {
      const period = periodOf('2026-11');
      return figuresOf(await supervision.totalsFor(period, regions), period);
    });

  /** As an auditor's copy holds them. */
  async function copy(): Promise<{ events: Buffer[]; checkpoints: CopiedCheckpoint[] }> {
    return await database.read(async ({ audit }) => ({
      events: (await audit.entries(0, 10_000)).map(({ canon }) => canon),
      checkpoints: [...(await audit.checkpointsAfter(0, 10_000))],
    }));
  }

  async function monthFromCopy(month: string): Promise<string> {
    const { events, checkpoints } = await copy();
    const recomputation = new Recomputation(closingOf(checkpoints, month)?.size ?? 0, checkpoints);
    for (const event of events) recomputation.add(event);
    return reportBytes(recomputation.report(month, true)).toString('utf8');
  }

  it('books what was signed, once, however often and from wherever it is called', async () => {
    await enrol('dev-1', '110000');
    await enrol('dev-2', '310000');
    const booked = await Promise.all([
      book(),
      book(),
      advanceFigures({ database: await fixture.open(), clock: log.clock }, 50),
    ]);
    expect(Math.max(...booked)).to.be.greaterThan(0);
    await enrol('dev-3', '310000');
    await book();
    const { total, regions } = await figuresNow();
    expect(total.certificates).to.include({ valid: 3, issued: 3 });
    expect(total.devices['in-service']).to.equal(3);
    expect(regions.map(({ name, sums }) => [name, sums.certificates.valid])).to.deep.equal([
      ['110000', 1],
      ['310000', 2],
    ]);
    expect((await figuresNow(['110000'])).total.certificates.valid).to.equal(1);
    expect((await figuresNow([])).total.certificates.valid).to.equal(0);
    expect(await database.read(({ supervision }) => supervision.position())).to.equal(6);
  });

  it('gives the same totals as one pass over all events, and the check finds one that was dressed up', async () => {
    await enrol('dev-1', '110000');
    await book();
    await enrol('dev-2', '310000');
    await book();
    const totals = new FigureTotals();
    for (const event of (await copy()).events) totals.addEvent(event);
    expect(await database.read(({ supervision }) => supervision.totals())).to.deep.equal(totals.cells());
    const violations = async () => (await database.snapshot(checkFigures)).violations;
    expect(await violations()).to.deep.equal([]);
    await fixture.sql(
      "update supervision_totals set value = 500 where measure = 'certificate.live' and region = '310000'",
    );
    const [violation, ...others] = await violations();
    expect(violation).to.match(/^certificate\.live .* region 310000 .*: 500 is stated, the events give 1$/);
    expect(others).to.deep.equal([]);
  });

  it('makes the report of a month that is over, cut at its checkpoint; a copy of the log gives the same octets', async () => {
    await enrol('dev-1', '110000');
    await book();
    expect(await database.read(({ supervision }) => supervision.months())).to.deep.equal([]);
    log.clock.advance(8 * DAY); // December
    await enrol('dev-2', '310000');
    await book();
    const report = await database.read(({ supervision }) => supervision.report('2026-11'));
    const body = JSON.parse(report?.body.toString('utf8') ?? '{}') as { events: number; figures: { days: unknown[] } };
    expect(body).to.deep.include({ month: '2026-11', complete: true, events: 4 });
    expect(report?.body.toString('utf8')).to.equal(await monthFromCopy('2026-11'));
    log.clock.advance(40 * DAY); // January
    await enrol('dev-3', '110000');
    await book();
    const later = await database.read(({ supervision }) => supervision.months());
    expect(later.map(({ month }) => month)).to.deep.equal(['2026-11', '2026-12']);
    const kept = await database.read(({ supervision }) => supervision.report('2026-11'));
    expect(kept?.body.toString('utf8')).to.equal(await monthFromCopy('2026-11'));
    const december = await database.read(({ supervision }) => supervision.report('2026-12'));
    expect(december?.body.toString('utf8')).to.equal(await monthFromCopy('2026-12'));
  });

  it('a report is never changed, and a copy with another event is refused', async () => {
    await enrol('dev-1', '110000');
    log.clock.advance(8 * DAY);
    await enrol('dev-2', '110000');
    await book();
    const refused = await fixture.sql('update supervision_reports set events = 1').then(
      () => undefined,
      (error: unknown) => String(error),
    );
    expect(refused).to.include('never changed');
    const { events, checkpoints } = await copy();
    const recomputation = new Recomputation(4, checkpoints);
    const forged = Buffer.from((events[1] ?? Buffer.alloc(0)).toString('utf8').replaceAll('110000', '120000'));
    for (const event of [events[0]!, forged, ...events.slice(2)]) recomputation.add(event);
    expect(() => recomputation.totals())
      .to.throw('not those of the checkpoint')
      .with.property('code', 'E_INTEGRITY');
    expect(() => new Recomputation(5_000, checkpoints)).to.throw('pull it again');
  });
});
