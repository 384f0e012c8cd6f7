/** Charts of a printed report as SVG text: plain shapes, no script, every text escaped. */

export interface Bar {
  readonly name: string;
  readonly value: number;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as it may stand in an element or in a quoted attribute of HTML and SVG. */
export function escapeMarkup(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}

/** A number with thousands apart, the same wherever it is made. */
export function grouped(value: number): string {
  return String(value).replaceAll(/\B(?=(?:\d{3})+$)/g, '\u2009');
}

const ROW = 18;
const LABELS = 350;
const WIDTH = 880;

/** Horizontal bars, one below the other, each with its name and number. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const most = Math.max(1, ...bars.map(({ value }) => value));
  const room = WIDTH - LABELS - 80;
  const rows = bars.map(({ name, value }, index) => {
    const y = index * ROW;
    const width = Math.round((value / most) * room);
    return [
      `<text x="${LABELS - 8}" y="${y + 13}" text-anchor="end">${escapeMarkup(name)}</text>`,
      `<rect x="${LABELS}" y="${y + 3}" width="${width}" height="${ROW - 6}" class="bar"/>`,
      `<text x="${LABELS + width + 6}" y="${y + 13}">${grouped(value)}</text>`,
    ].join('');
  });
  const height = Math.max(1, bars.length) * ROW;
  return svg(title, height, rows.join(''));
}

/** Upright bars side by side over days, with the first and the last day named. */
export function columnChart(title: string, bars: readonly Bar[]): string {
  const most = Math.max(1, ...bars.map(({ value }) => value));
  const [height, base] = [160, 130];
  const step = Math.max(4, Math.floor(WIDTH / Math.max(1, bars.length)));
  const columns = bars.map(({ name, value }, index) => {
    const tall = Math.round((value / most) * (base - 20));
    const label = `<title>${escapeMarkup(name)}: ${grouped(value)}</title>`;
    return `<rect x="${index * step + 1}" y="${base - tall}" width="${step - 2}" height="${tall}" class="bar">${label}</rect>`;
  });
  const [first, last] = [bars.at(0), bars.at(-1)];
  const axis = `<line x1="0" y1="${base}" x2="${WIDTH}" y2="${base}" class="axis"/>`;
  const ends =
    first === undefined || last === undefined
      ? ''
      : `<text x="0" y="${base + 16}">${escapeMarkup(first.name)}</text>` +
        `<text x="${Math.min(WIDTH, bars.length * step)}" y="${base + 16}" text-anchor="end">${escapeMarkup(last.name)}</text>` +
        `<text x="0" y="12">${grouped(most)}</text>`;
  return svg(title, height, columns.join('') + axis + ends);
}

function svg(title: string, height: number, content: string): string {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeMarkup(title)}">${content}</svg>`;
}
