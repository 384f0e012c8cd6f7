/** A report as one printable page: no script, nothing from outside, and nothing in a name is markup. */
import { barChart, columnChart, escapeMarkup, grouped } from './charts.ts';
import { daysOf } from './month.ts';
import { addDays, type FigureSums, type NamedSums } from './figures.ts';
import type { SupervisionReport } from './report.ts';
import { FIGURE_COLUMNS, figureRows, type FigureRow, type RegionNames } from './report-rows.ts';

const STYLE = `
body { font: 13px/1.45 "Noto Sans", "Noto Sans CJK SC", "WenQuanYi Micro Hei", "Microsoft YaHei", sans-serif; color: #1c2733; max-width: 980px; margin: 24px auto; padding: 0 16px; }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 15px; margin: 26px 0 8px; border-bottom: 2px solid #1f5f8b; padding-bottom: 3px; }
p.note { color: #52616f; margin: 2px 0; overflow-wrap: anywhere; }
.cards { display: flex; flex-wrap: wrap; gap: 10px; } .card { border: 1px solid #cfd8e0; border-radius: 6px; padding: 8px 12px; min-width: 118px; }
.card b { display: block; font-size: 20px; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; font-size: 10.5px; } th, td { padding: 3px 5px; border-bottom: 1px solid #e0e6ec; text-align: right; font-variant-numeric: tabular-nums; }
th { vertical-align: bottom; font-weight: 600; } th:first-child, td:first-child { text-align: left; min-width: 110px; } thead { background: #f1f5f8; }
svg { width: 100%; max-width: 880px; height: auto; display: block; } svg text { font-size: 11px; fill: #1c2733; } .bar { fill: #1f5f8b; } .axis { stroke: #8896a3; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } tr, svg { break-inside: avoid; } @page { size: A4 landscape; margin: 12mm; } }
`;

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

function heading(en: string, zh: string): string {
  return `<h2>${en} <span lang="zh">${zh}</span></h2>`;
}

function cards(total: FigureSums): string {
  const card = FIGURE_COLUMNS.map(
    ({ en, zh, of }) => `<div class="card"><b>${grouped(of(total))}</b>${en}<br><span lang="zh">${zh}</span></div>`,
  );
  return `<div class="cards">${card.join('')}</div>`;
}

function rowName({ title }: FigureRow): string {
  const { en, zh } = title;
  return en === zh ? escapeMarkup(en) : `${escapeMarkup(en)} <span lang="zh">${escapeMarkup(zh)}</span>`;
}

function table(rows: readonly FigureRow[]): string {
  const head = FIGURE_COLUMNS.map(({ en, zh }) => `<th scope="col">${en}<br><span lang="zh">${zh}</span></th>`);
  const body = rows.map((row) => {
    const cells = FIGURE_COLUMNS.map(({ of }) => `<td>${grouped(of(row.sums))}</td>`);
    return `<tr><td>${rowName(row)}</td>${cells.join('')}</tr>`;
  });
  return `<table><thead><tr><th></th>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table>`;
}

/** Every day of the month, those without anything too. */
function daily(month: string, days: readonly NamedSums[], of: (sums: FigureSums) => number) {
  const { first, last } = daysOf(month);
  const known = new Map(days.map(({ name, sums }) => [name, of(sums)]));
  const bars: { name: string; value: number }[] = [];
  for (let day = first; day <= last; day = addDays(day, 1)) bars.push({ name: day, value: known.get(day) ?? 0 });
  return bars;
}

/** The octets of the page, UTF-8. The same report has the same octets. */
export function reportHtml(report: SupervisionReport, names: RegionNames): Buffer {
  const { month, log, complete, events, checkpoint, figures } = report;
  const rows = figureRows(figures, names);
  const of = (kind: string): FigureRow[] => rows.filter((row) => row.kind.en === kind);
  const valid = (parts: readonly FigureRow[]) =>
    parts.map(({ title, sums }) => ({
      name: title.en === title.zh ? title.en : `${title.en} ${title.zh}`,
      value: sums.certificates.valid,
    }));
  const state = complete
    ? 'The month is over: this report is final. <span lang="zh">本月已结束,此为最终报告。</span>'
    : 'The month is not over: this is a preview. <span lang="zh">本月尚未结束,此为预览。</span>';
  const parts = [
    `<h1>Supervision of electronic certification, ${month} <span lang="zh">电子认证监管月报</span></h1>`,
    `<p class="note">${state}</p>`,
    `<p class="note">Sum of the first ${grouped(events)} events of the log ${escapeMarkup(log)}, signed in the checkpoint of size ${grouped(checkpoint.size)} with the root ${checkpoint.root}. <span lang="zh">依据审计日志事件与签名检查点计算。</span></p>`,
    heading('In all', '总览'),
    cards(figures.total),
    heading('Valid certificates by region', '各地区有效证书'),
    barChart('valid certificates by region', valid(of('region'))),
    heading('Hierarchies', '算法占比'),
    barChart('valid certificates by algorithm', valid(of('algorithm'))),
    heading('Certificates issued by day', '每日签发'),
    columnChart(
      'certificates issued by day',
      daily(month, figures.days, ({ certificates }) => certificates.issued),
    ),
    heading('Regions', '地区'),
    table(of('region')),
    heading('Registration authorities', '注册机构'),
    table(of('registration authority')),
    heading('Profiles', '模板'),
    table(of('profile')),
    heading('Device models', '设备型号'),
    table(of('device model')),
  ];
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="Content-Security-Policy" content="${POLICY}"><title>Supervision ${month}</title><style>${STYLE}</style>`;
  return Buffer.from(
    `<!doctype html>\n<html lang="en"><head>${head}</head><body>\n${parts.join('\n')}\n</body></html>\n`,
    'utf8',
  );
}
