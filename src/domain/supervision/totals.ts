/** The totals of supervision as a fold over the log: state small, one event after the other, nothing looked up. */
import { parseAuditRecord } from '../audit/record.ts';
import { movementsOf } from './movements.ts';
import { figureKeyName, figureKeyText, type FigureCell } from './measures.ts';

/** Sums by what they are about; a sum of nothing is not there. */
export class FigureTotals {
  readonly #cells = new Map<string, FigureCell>();

  /** Books an event, given as its canonical bytes. @throws KmcError E_SIZE, E_JSON, E_SCHEMA for what is no event. */
  addEvent(canon: Buffer): void {
    for (const movement of movementsOf(parseAuditRecord(canon))) this.add(movement);
  }

  /** Adds to one sum. */
  add(movement: FigureCell): void {
    const key = figureKeyText(movement);
    const value = (this.#cells.get(key)?.value ?? 0) + movement.value;
    if (value === 0) this.#cells.delete(key);
    else this.#cells.set(key, { ...movement, value });
  }

  get size(): number {
    return this.#cells.size;
  }

  /** The sums in the order of their keys: the same events always give the same list. */
  cells(): FigureCell[] {
    return [...this.#cells.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, cell]) => cell);
  }
}

export interface FigureDifference {
  /** What the number is about, as figureKeyName gives it. */
  readonly figure: string;
  readonly stated: number;
  /** What the events give. */
  readonly computed: number;
}

/** Every total in which two lists of cells differ; a cell that stands in one alone is 0 in the other. */
export function differencesOf(stated: Iterable<FigureCell>, computed: Iterable<FigureCell>): FigureDifference[] {
  const sums = new Map<string, { readonly cell: FigureCell; stated: number; computed: number }>();
  for (const [side, cells] of [
    ['stated', stated],
    ['computed', computed],
  ] as const) {
    for (const cell of cells) {
      const key = figureKeyText(cell);
      const sum = sums.get(key) ?? { cell, stated: 0, computed: 0 };
      sum[side] += cell.value;
      sums.set(key, sum);
    }
  }
  return [...sums.entries()]
    .filter(([, sum]) => sum.stated !== sum.computed)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, sum]) => ({ figure: figureKeyName(sum.cell), stated: sum.stated, computed: sum.computed }));
}
