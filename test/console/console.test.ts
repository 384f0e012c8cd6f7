/** The console in headless Chromium: signing in, views, verification in the browser, keyboard, and names that are hostile. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { newId } from '../../src/domain/id.ts';
import type { FigureCell } from '../../src/domain/supervision/measures.ts';
import { advanceFigures } from '../../src/flows/supervision/advance-figures.ts';
import { createClient } from '../../src/agent/signed-client.ts';
import { Browser, type Page } from '../fixtures/browser.ts';
import type { CastName } from '../fixtures/estate.ts';
import { POLICIES } from '../fixtures/estate.ts';
import { testInstance } from '../fixtures/instance.ts';
import { LiveService } from '../http/live-service.ts';
import { forEachDatabase } from '../store/databases.ts';

const MISSING = 'Chromium is missing, so this is skipped';
const HOSTILE = '<img src=x onerror=window.hit=1><script>window.hit=1</script>';
/** Where to put pictures, for a person to look at. */
const PICTURES = process.env['KMC_TEST_PICTURES'];

forEachDatabase('the console in a browser', (fixture) => {
  const test = testInstance(fixture);
  let service: LiveService;
  let browser: Browser | undefined;
  let page: Page;

  beforeEach(async function start() {
    this.timeout(60_000);
    browser = Browser.start();
    if (browser === undefined) {
      if (process.env['CI'] === 'true') throw new Error(`${MISSING}, and that is a failure with CI=true.`);
      if (this.currentTest !== undefined) this.currentTest.title += ` [${MISSING}]`;
      this.skip();
    }
    service = await LiveService.start(test(), { log: test().people.custodianOne });
    await fill();
    page = await browser.page(1200, 900);
  });

  afterEach(async () => {
    await browser?.close();
    if (browser !== undefined) await service.close();
    browser = undefined;
  });

  /** 150,000 certificates in 32 regions, one of the models hostile; and hostile text in an event. */
  async function fill(): Promise<void> {
    const { database, clock } = test().instance;
    const now = clock.now();
    const day = (days: number): string => new Date(now.getTime() + days * 86_400_000).toISOString().slice(0, 10);
    const cell = { registrar: '-', profile: 'gateway-sign', algorithm: 'SM2', label: '-' };
    const cells: FigureCell[] = POLICIES.regions.flatMap(({ code, kind }, at): FigureCell[] => {
      const value = kind === 'national' ? 0 : 4_687 + (at % 5 === 0 ? 4_000 : -1_000 * (at % 4));
      const device = {
        ...cell,
        region: code,
        day: '',
        algorithm: '-',
        profile: 'gateway',
        label: at === 3 ? HOSTILE : `SG-${at % 4}`,
      };
      return [
        { ...cell, measure: 'certificate.live', day: day(200), region: code, value },
        { ...cell, measure: 'certificate.live', day: day(12), region: code, value: at * 7 },
        {
          ...cell,
          measure: 'certificate.live',
          day: day(90),
          region: code,
          algorithm: 'RSA',
          profile: 'legacy-gateway',
          value: at * 30,
        },
        { ...device, measure: 'device.in-service', value: Math.floor(value / 2) },
        ...Array.from({ length: 30 }, (_, back): FigureCell => ({
          ...cell,
          measure: 'certificate.issued',
          day: day(-back),
          region: code,
          value: (at * 13 + back * 7) % 40,
        })),
        { ...device, measure: 'enrolment.completed', day: day(-1), label: '-', value: 90 },
        { ...device, measure: 'enrolment.refused', day: day(-1), label: 'E_TOKEN', value: at % 3 },
        { ...device, measure: 'enrolment.waiting', label: '-', value: at % 4 },
      ];
    });
    await service.advanceLog();
    await advanceFigures(test().instance, 50);
    await database.transaction((tx) => tx.supervision.add(cells.filter(({ value }) => value !== 0)));
    await database.transaction((tx) =>
      tx.audit.append(
        {
          id: newId('ev', now),
          action: 'device.update',
          outcome: 'success',
          subjects: [{ type: 'device', id: 'dev-hostile' }],
          actor: { type: 'system', id: 'kmc' },
          source: { node: 'node-1' },
          detail: { model: HOSTILE },
        },
        now,
      ),
    );
    await service.advanceLog();
  }

  async function signIn(name: CastName): Promise<void> {
    await page.open(`${service.url}/console?lang=en`);
    await page.until("document.querySelector('#begin') !== null");
    await page.value("document.querySelector('#begin').focus()");
    await page.press('Enter');
    await page.until("document.querySelector('#challenge') !== null");
    const challenge = await page.value("document.querySelector('#challenge').textContent");
    const { key, certificate } = test().people[name];
    const client = createClient({
      baseUrl: service.url,
      signer: { engine: test().instance.engine, key, certificate: certificate.der },
    });
    const { code } = (await client.json('POST', '/api/v1/console/approvals', { challenge })) as {
      readonly code: string;
    };
    await page.until("document.activeElement?.id === 'code'");
    await page.type(code);
    await page.press('Enter');
    await page.until(
      "document.querySelector('.map') !== null || document.querySelector('#main')?.dataset.view !== undefined",
    );
  }

  async function view(name: string): Promise<string> {
    await page.value(`location.hash = '#${name}'`);
    await page.until(`document.querySelector('#main')?.dataset.view === '${name}'`);
    return String(await page.value("document.querySelector('#main').innerText"));
  }

  async function picture(name: string): Promise<void> {
    if (PICTURES === undefined) return;
    mkdirSync(PICTURES, { recursive: true });
    await page.picture(join(PICTURES, `${name}.png`));
  }

  it('shows figures, lists and events that it verified itself; names are inert; nothing comes from elsewhere', async function walk() {
    this.timeout(60_000);
    await signIn('auditor');
    await picture('overview-wide');
    expect(await page.value("document.querySelectorAll('.tile').length")).to.equal(32);
    expect(await page.value("document.querySelector('.cards').innerText")).to.match(/Valid certificates/);
    expect(await page.value('document.cookie'), 'no script sees the session').to.equal('');
    await page.value("document.querySelector('.tile').focus()");
    await page.press('ArrowDown');
    expect(await page.value('document.activeElement.dataset.region')).to.equal('220000');
    await page.press('Enter');
    await page.until("document.querySelector('[data-region=\"220000\"]').getAttribute('aria-pressed') === 'true'");
    const text = await view('audit');
    expect(text).to.include('Signed checkpoint over');
    await page.until("document.querySelectorAll('.proof.good').length === 20");
    await picture('audit');
    for (const name of ['approvals', 'pools', 'alarms', 'upgrade'])
      expect(await view(name), name).to.not.match(/could not be loaded|does not offer/);
    await picture('upgrade');
    await view('overview');
    expect(await page.value("document.body.innerText.includes('<img src=x')")).to.equal(true);
    expect(await page.value('window.hit'), 'a hostile name runs').to.equal(undefined);
    expect(await page.value("document.querySelectorAll('img, script:not([src])').length")).to.equal(0);
    const origins = new Set(page.requests.filter((url) => url.startsWith('http')).map((url) => new URL(url).origin));
    expect([...origins]).to.deep.equal([service.url]);
    expect(page.complaints.filter((complaint) => /Content Security|violat/i.test(complaint))).to.deep.equal([]);
    expect(await page.value('eval("1")').catch(() => 'refused'), 'the policy holds').to.equal('refused');
  });

  it('an event that was altered on its way is not shown as verified', async function alter() {
    this.timeout(60_000);
    await signIn('auditor');
    await page.value(
      `(() => { const real = window.fetch; window.fetch = async (url, given) => { const answer = await real(url, given);
         if (!String(url).includes('/audit/events')) return answer;
         const text = (await answer.text()).replaceAll('dev-hostile', 'dev-lovable'); return new Response(text, { status: 200 }); }; })()`,
    );
    await view('audit');
    await page.until("document.querySelectorAll('.proof.good').length === 19");
    expect(await page.value("document.querySelector('.proof.bad').textContent")).to.include('NOT VERIFIED');
  });

  it('is in use within a second, in Chinese, and on the width of a phone', async function phone() {
    this.timeout(60_000);
    await signIn('auditor');
    // The quickest of some: other tests run at the same time.
    const times: number[] = [];
    for (let time = 0; time < 4; time += 1) {
      await page.open('about:blank');
      const start = performance.now();
      await page.open(`${service.url}/console?lang=zh`);
      await page.until("document.querySelector('.map') !== null");
      times.push(performance.now() - start);
    }
    expect(Math.min(...times)).to.be.lessThan(1_000);
    expect(await page.value('document.documentElement.lang')).to.equal('zh');
    expect(await page.value('document.body.innerText'))
      .to.include('有效证书')
      .and.to.include('北京市');
    await picture('overview-chinese');
    await page.resize(390, 800);
    expect(await page.value('document.documentElement.scrollWidth <= innerWidth'), 'nothing is cut off').to.equal(true);
    await picture('overview-phone');
  });

  it('shows an operator the own region alone, and ends with the account', async function region() {
    this.timeout(60_000);
    await signIn('raOne');
    await page.until("document.querySelector('.map') !== null");
    const names = await page.value(
      "[...document.querySelectorAll('caption')].find((one) => one.textContent === 'Region').parentElement.querySelectorAll('tbody th').length",
    );
    expect(names).to.equal(1);
    expect(await view('audit')).to.include('Your roles do not read this');
    await fixture.sql("update people set status = 'disabled' where id = ?", [test().people.raOne.id]);
    await page.value("location.hash = '#overview'");
    await page.until("document.querySelector('.sign-in') !== null");
  });
});
