import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { advanceFigures } from '../../src/flows/supervision/advance-figures.ts';
import { enrolDevice } from '../../src/flows/enrolments/enrol-device.ts';
import { readyDevice } from '../fixtures/enrolling.ts';
import type { CastName } from '../fixtures/estate.ts';
import { testInstance } from '../fixtures/instance.ts';
import { LiveService } from '../http/live-service.ts';
import { forEachDatabase } from '../store/databases.ts';
import { runKmc, type Ran } from './run-kmc.ts';
import { ScratchFiles } from './scratch-files.ts';

forEachDatabase('kmc supervise', (fixture) => {
  const test = testInstance(fixture);
  let service: LiveService;
  let files: ScratchFiles;

  beforeEach(async () => {
    files = new ScratchFiles();
    service = await LiveService.start(test(), { log: test().people.custodianOne });
    const { instance } = test();
    const { input } = await readyDevice(test(), 'gw-1', { model: '=cmd|calc' });
    await enrolDevice(instance, input);
    await service.advanceLog();
    await advanceFigures(instance, 50);
  });

  afterEach(async () => {
    await service.close();
    files.remove();
  });

  async function kmc(name: CastName, ...args: string[]): Promise<Ran> {
    const identity = await files.identity(test().instance.engine, test().people[name]);
    return await runKmc([...args, '--url', service.url, ...identity]);
  }

  const month = (): string => test().clock.now().toISOString().slice(0, 7);

  it('makes the totals of the service anew from a copy of its log, and names the one that was dressed up', async () => {
    const copy = files.path('copy');
    expect((await kmc('auditor', 'audit', 'pull', copy)).code).to.equal(0);
    const good = await kmc('auditor', 'supervise', 'recompute', copy);
    expect([good.code, good.out]).to.deep.include(0);
    expect(good.out).to.include('everything is what the events give');
    await fixture.sql("update supervision_totals set value = value + 100 where measure = 'device.in-service'");
    const dressedUp = await kmc('auditor', 'supervise', 'recompute', copy, '--json');
    expect(dressedUp.code).to.equal(4);
    const { differences } = dressedUp.json() as { differences: { figure: string; stated: number; computed: number }[] };
    expect(differences).to.have.length(1);
    expect(differences[0]).to.deep.include({ stated: 101, computed: 1 });
    expect(differences[0]?.figure).to.match(/^device\.in-service region 110000 .* label =cmd\|calc$/);
  });

  it('writes the report of a month, signed by an auditor; a copy of the log gives the same octets', async () => {
    const [copy, out] = [files.path('copy'), files.path('report')];
    const written = await kmc('auditor', 'supervise', 'report', '--month', month(), '--out', out, '--sign', '--json');
    expect(written.code, written.err).to.equal(0);
    expect(written.json()).to.include({ complete: false, signed: true, valid: 2 });
    expect((await kmc('auditor', 'audit', 'pull', copy)).code).to.equal(0);
    const [report, signature] = [`${out}/report.json`, `${out}/report.sig.json`];
    const again = await kmc('auditor', 'supervise', 'recompute', copy, '--report', report, '--signature', signature);
    expect(again.code, again.err + again.out).to.equal(0);
    const altered = readFileSync(report, 'utf8').replace('"valid": 2', '"valid": 9');
    writeFileSync(report, altered);
    const signed = await kmc('auditor', 'supervise', 'recompute', copy, '--report', report, '--signature', signature);
    expect([signed.code, signed.err]).to.not.deep.include(0);
    expect(signed.err).to.include('not the one that was signed');
    const unsigned = await kmc('auditor', 'supervise', 'recompute', copy, '--report', report);
    expect(unsigned.code).to.equal(4);
    expect(unsigned.out).to.match(/\/figures\/total\/certificates\/valid +9 +2/);
  });

  it('keeps formulas out of the CSV and markup out of the page', async () => {
    const out = files.path('report');
    expect((await kmc('auditor', 'supervise', 'report', '--month', month(), '--out', out)).code).to.equal(0);
    const csv = readFileSync(`${out}/report.csv`, 'utf8');
    expect(csv)
      .to.include(`"'=cmd|calc"`)
      .and.to.not.match(/(?:^|,)"?=cmd/m);
    expect(readFileSync(`${out}/report.html`, 'utf8'))
      .to.include('=cmd|calc')
      .and.to.not.match(/<script|<img|javascript:/i);
  });

  it('gives reports to the centre and not to a province, and none of a month to come', async () => {
    const refused = await kmc('raOne', 'supervise', 'report', '--month', month(), '--out', files.path('r1'));
    expect(refused.code).to.equal(6);
    const none = await kmc('auditor', 'supervise', 'report', '--month', '2099-01', '--out', files.path('r2'));
    expect(none.code).to.equal(5);
    const wrong = await kmc('auditor', 'supervise', 'report', '--month', '2026-13', '--out', files.path('r3'));
    expect(wrong.err).to.include('YYYY-MM');
  });
});
