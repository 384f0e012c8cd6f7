/** Events for a spreadsheet (RFC 4180). Lossy, and no evidence: each row names its place and leaf hash in the log. */
import { csvField } from '../../csv-field.ts';
import type { PlacedEvent } from './placed-event.ts';

const COLUMNS: readonly (readonly [name: string, cell: (event: PlacedEvent) => string | number | undefined])[] = [
  ['index', ({ index }) => index],
  ['leaf', ({ leaf }) => `sm3:${leaf.toString('hex')}`],
  ['log', ({ record }) => record.log],
  ['id', ({ record }) => record.id],
  ['time', ({ record }) => record.ts],
  ['class', ({ record }) => record.cls],
  ['action', ({ record }) => record.act],
  ['phase', ({ record }) => record.ph],
  ['outcome', ({ record }) => record.out],
  ['code', ({ record }) => record.code],
  ['actorType', ({ record }) => record.actor.t],
  ['actor', ({ record }) => record.actor.id],
  ['role', ({ record }) => record.actor.role],
  ['subjects', ({ record }) => record.subj.map(({ t, tag }) => `${t}:${tag}`).join(' ')],
  ['terms', ({ record }) => record.terms?.map(({ t, tag }) => `${t}:${tag}`).join(' ')],
  ['approvers', ({ record }) => record.appr?.map(({ id, role }) => `${id}/${role}`).join(' ')],
  ['region', ({ record }) => String(record.det['region'] ?? '')],
  ['node', ({ record }) => record.src.node],
  ['request', ({ record }) => record.src.req],
  [
    'detail',
    ({ record }) =>
      Object.entries(record.det)
        .map(([name, value]) => `${name}=${value}`)
        .join(' '),
  ],
];

/** The first row, with its line end. */
export function csvHeader(): string {
  return `${COLUMNS.map(([name]) => csvField(name)).join(',')}\r\n`;
}

export function csvRow(event: PlacedEvent): string {
  return `${COLUMNS.map(([, cell]) => csvField(String(cell(event) ?? ''))).join(',')}\r\n`;
}
