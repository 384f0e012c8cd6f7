/** A report as CSV (RFC 4180), UTF-8 with a byte order mark, as spreadsheets want it. */
import type { SupervisionReport } from './report.ts';
import { FIGURE_COLUMNS, figureRows, type RegionNames } from './report-rows.ts';

/** What a spreadsheet takes for the beginning of a formula, or of one after it has cut white space away. */
const FORMULA = /^[\s\u00a0]*[=+\-@\t\r|%]/u;

/** One field: always quoted, and never a formula, whoever chose the text. */
export function csvField(text: string): string {
  const inert = FORMULA.test(text) ? `'${text}` : text;
  return `"${inert.replaceAll('"', '""')}"`;
}

/** The octets of the CSV: one row for each part of the estate, numbers bare. The same report has the same octets. */
export function reportCsv({ month, figures }: SupervisionReport, names: RegionNames): Buffer {
  const headers = ['month', 'part', 'name', 'title', '名称', ...FIGURE_COLUMNS.map(({ en, zh }) => `${en} ${zh}`)];
  const rows = figureRows(figures, names).map(({ kind, name, title, sums }) => [
    ...[month, `${kind.en} ${kind.zh}`, name, title.en, title.zh].map(csvField),
    ...FIGURE_COLUMNS.map(({ of }) => String(of(sums))),
  ]);
  const lines = [headers.map(csvField), ...rows].map((fields) => `${fields.join(',')}\r\n`);
  return Buffer.from(`\ufeff${lines.join('')}`, 'utf8');
}
