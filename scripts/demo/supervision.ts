/** Supervision in the demo: figures of 32 regions, a signed report made anew from the auditor's copy, the console's picture. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SIGNATURE_ALGORITHMS } from '../../src/crypto/algorithms.ts';
import { recomputeReport, recomputeTotals } from '../../src/cli/supervise-recompute.ts';
import { isObject, signedTime } from '../../src/domain/signed-body.ts';
import { attestationBody, attestationBytes } from '../../src/domain/supervision/attestation.ts';
import { readReportFile } from '../../src/domain/supervision/report.ts';
import { advanceFigures } from '../../src/flows/supervision/advance-figures.ts';
import { Browser } from '../../test/fixtures/browser.ts';
import type { Scene } from './acts.ts';
import { textOf, type DemoPeople } from './people.ts';
import type { StepLog } from './story.ts';

const REGIONS = 32;
const BATCHES = 1_000;
const AUDITOR = 'auditor-1';

/** Writes the report of this month in its three forms, signed by the auditor. */
export async function writeReport({ instance, out }: Scene, people: DemoPeople, log: StepLog): Promise<void> {
  // The regular work of the service does it as well, every half minute.
  await advanceFigures(instance, BATCHES);
  const month = new Date().toISOString().slice(0, 7);
  const file = async (form: string): Promise<Buffer> =>
    (await people.client(AUDITOR).send('GET', `/api/v1/supervision/reports/${month}?form=${form}`)).body;
  const files = { json: await file('json'), csv: await file('csv'), html: await file('html') };
  mkdirSync(join(out, 'supervision'));
  for (const [form, content] of Object.entries(files))
    writeFileSync(join(out, 'supervision', `report.${form}`), content);
  const { key, certificate } = people.stage.person(AUDITOR);
  const body = attestationBody(month, files, { certificate, signedAt: signedTime(new Date()) });
  const signature = await people.engine.sign(key, 'SM2-SM3', attestationBytes(body));
  const signed = {
    body,
    signature: SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(signature).toString('base64'),
    certificate: certificate.toString('base64'),
  };
  writeFileSync(join(out, 'supervision/report.sig.json'), `${JSON.stringify(signed, undefined, 2)}\n`);
  const { figures } = readReportFile(files.json);
  const provinces = figures.regions.filter(({ name, sums }) => name !== '-' && sums.certificates.valid > 0);
  log.check(provinces.length === REGIONS, 'every region has valid certificates in the figures');
  log.check(figures.unattributed === 0, 'every event said enough to be booked');
  log.count('valid certificates', figures.total.certificates.valid);
}

/** A picture of the overview, where this machine has Chromium: signed in as the auditor, as a person would. */
export async function pictureOverview({ out }: Scene, people: DemoPeople, url: string, log: StepLog): Promise<boolean> {
  const browser = Browser.start();
  log.count('chromium', browser !== undefined);
  if (browser === undefined) return false;
  try {
    const page = await browser.page(1200, 900);
    await page.open(`${url}/console?lang=en`);
    await page.until("document.querySelector('#begin') !== null");
    await page.value("document.querySelector('#begin').click()");
    await page.until("document.querySelector('#challenge') !== null");
    const challenge = await page.value("document.querySelector('#challenge').textContent");
    const answer = await people.client(AUDITOR).json('POST', '/api/v1/console/approvals', { challenge });
    await page.until("document.activeElement?.id === 'code'");
    await page.type(textOf(answer, 'code'));
    await page.press('Enter');
    await page.until("document.querySelectorAll('.tile').length === 32");
    await page.picture(join(out, 'supervision/overview.png'));
    log.check(page.complaints.length === 0, 'the page keeps to its own policy');
    return true;
  } finally {
    await browser.close();
  }
}

/** With the copy of the log that the tree holds: the report octet by octet, and every total of the service. */
export async function recompute({ out }: Scene, totals: unknown, log: StepLog): Promise<void> {
  const copy = join(out, 'audit');
  const quiet = (): void => undefined;
  const folder = join(out, 'supervision');
  const files = { report: join(folder, 'report.json'), signature: join(folder, 'report.sig.json') };
  const report = await recomputeReport(copy, files, quiet);
  log.check(report.differences.length === 0, 'the report is what the events give, octet by octet');
  const all = await recomputeTotals(copy, totals, quiet);
  log.check(all.differences.length === 0, 'every total is what the events give');
  const stated: unknown = isObject(totals) ? totals['totals'] : undefined;
  const cells: readonly unknown[] = Array.isArray(stated) ? stated : [];
  const [first, ...others] = cells;
  const altered = isObject(first) ? { ...first, value: 1_000 } : first;
  const dressedUp = isObject(totals) ? { ...totals, totals: [altered, ...others] } : totals;
  const found = await recomputeTotals(copy, dressedUp, quiet);
  log.check(found.differences.length === 1, 'one total that was dressed up is found, and no other');
  log.count('events', report.events);
  log.count('octets', readFileSync(files.report).length);
}
