/** A report as CSV (RFC 4180), UTF-8 with a byte order mark, as spreadsheets want it. */
import { csvField } from '../csv-field.ts';
import type { SupervisionReport } from './report.ts';
import { FIGURE_COLUMNS, figureRows, type RegionNames } from './report-rows.ts';

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
