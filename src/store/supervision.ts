import { expiringUntil, addDays, type FigurePeriod } from '../domain/supervision/figures.ts';
import { figureKeyText, measuresOf, type FigureCell, type Measure } from '../domain/supervision/measures.ts';
import type { SupervisionReportRow, SupervisionWriter } from '../flows/ports/supervision.ts';
import { byCount, type Binding, type Sql } from './sql.ts';
import { blob, decodeRecord, integer, ROWS_TOGETHER, Table, text, time, won, word, type Columns } from './table.ts';

const CELL: Columns<FigureCell> = {
  measure: word<Measure>(),
  day: text,
  region: text,
  registrar: text,
  profile: text,
  algorithm: text,
  label: text,
  value: integer,
};
const PARTS = 'region, registrar, profile, algorithm, label';

const REPORTS = new Table<SupervisionReportRow>('supervision_reports', {
  month: text,
  events: integer,
  body: blob,
  createdAt: time,
});

const ADD = byCount(
  ROWS_TOGETHER,
  (rows) => `insert into supervision_totals (key, measure, day, ${PARTS}, value)
   values ${rows('(?, ?, ?, ?, ?, ?, ?, ?, ?)')}
   on conflict (key) do update set value = supervision_totals.value + excluded.value`,
);

const ENDS = measuresOf('end');
const FLOWS = measuresOf('flow');
const LEVELS = measuresOf('level');

function marks(values: readonly unknown[]): string {
  return values.map(() => '?').join(', ');
}

/** Three questions in one: what ends, what happened, what stands. */
function periodStatement(regions: readonly string[] | undefined): string {
  const within = regions === undefined ? '' : `and region in (${marks(regions)})`;
  return `select measure, case when day <= ? then ? else ? end as day, ${PARTS}, sum(value) as value
     from supervision_totals where measure in (${marks(ENDS)}) and day >= ? ${within} group by 1, 2, ${PARTS}
   union all select measure, day, ${PARTS}, value
     from supervision_totals where measure in (${marks(FLOWS)}) and day >= ? and day <= ? ${within}
   union all select measure, day, ${PARTS}, value
     from supervision_totals where measure in (${marks(LEVELS)}) ${within}`;
}

export class StoredSupervision implements SupervisionWriter {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async position(): Promise<number> {
    const [record] = await this.#sql.all('select position from supervision_position where id = 1');
    return record === undefined ? 0 : integer.decode(record['position']);
  }

  async totals(): Promise<FigureCell[]> {
    const records = await this.#sql.all(
      `select measure, day, ${PARTS}, value from supervision_totals where value <> 0 order by key`,
    );
    return records.map((record) => decodeRecord(CELL, record));
  }

  async totalsFor(period: FigurePeriod, regions?: readonly string[]): Promise<FigureCell[]> {
    if (regions?.length === 0) return [];
    const until = expiringUntil(period);
    const within: Binding[] = regions === undefined ? [] : [...regions];
    const bindings: readonly (readonly Binding[])[] = [
      [until, period.day, addDays(until, 1), ...ENDS, period.day, ...within],
      [...FLOWS, period.from, period.to, ...within],
      [...LEVELS, ...within],
    ];
    const records = await this.#sql.all(periodStatement(regions), ...bindings.flat());
    return records.map((record) => decodeRecord(CELL, { ...record, value: Number(record['value']) }));
  }

  async months(): Promise<Omit<SupervisionReportRow, 'body'>[]> {
    const records = await this.#sql.all('select month, events, created_at from supervision_reports order by month');
    return records.map((record) => decodeRecord({ month: text, events: integer, createdAt: time }, record));
  }

  report(month: string): Promise<SupervisionReportRow | undefined> {
    return REPORTS.find(this.#sql, 'where month = ?', month);
  }

  async advance(from: number, to: number): Promise<boolean> {
    if (from > 0) {
      return await won(
        this.#sql.run('update supervision_position set position = ? where id = 1 and position = ?', to, from),
      );
    }
    const first = 'insert into supervision_position (id, position) values (1, ?) on conflict do nothing';
    return await won(this.#sql.run(first, to));
  }

  async add(movements: readonly FigureCell[]): Promise<void> {
    for (let start = 0; start < movements.length; start += ROWS_TOGETHER) {
      const part = movements.slice(start, start + ROWS_TOGETHER);
      await this.#sql.run(
        ADD(part.length),
        ...part.flatMap((cell): Binding[] => [
          figureKeyText(cell),
          cell.measure,
          cell.day,
          cell.region,
          cell.registrar,
          cell.profile,
          cell.algorithm,
          cell.label,
          cell.value,
        ]),
      );
    }
  }

  insertReport(row: SupervisionReportRow): Promise<boolean> {
    return REPORTS.insert(this.#sql, row);
  }
}
