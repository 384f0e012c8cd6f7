/** Overview: cards, the tile map, and tables. */
import { h, svg, table, type Child } from './elements.ts';
import { grouped, short, SHOWN, type FiguresAnswer, type Part, type Region, type Shown, type Sums } from './figures.ts';
import { TILES } from './regions.ts';
import { readJson } from './service.ts';
import { currentLanguage, t } from './words.ts';

/** Steps of the colour of tiles. */
const SHADES = 6;

function nameOf(region: Region | undefined, code: string): string {
  if (region === undefined) return code === '-' ? t('noRegion') : code;
  return region[currentLanguage()];
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '–' : `${((part / whole) * 100).toFixed(1)}%`;
}

function card(title: string, value: string, note = ''): HTMLElement {
  return h('div', { class: 'card' }, h('div', {}, title), h('strong', {}, value), h('small', {}, note));
}

function cards({ figures: { total }, targets }: FiguresAnswer): HTMLElement {
  const { certificates, enrolments } = total;
  const asked = enrolments.completed + enrolments.refused + enrolments.expired;
  const done = percent(certificates.valid, targets.certificates);
  const listed = SHOWN.map(({ word, of }) =>
    card(t(word), grouped(of(total)), word === 'certificatesValid' ? `${done} ${t('target')}` : ''),
  );
  const success = card(
    t('enrolmentSuccess'),
    percent(enrolments.completed, asked),
    `${enrolments.completed} / ${asked}`,
  );
  return h('div', { class: 'cards' }, ...listed, success);
}

function shadeOf(value: number, most: number): number {
  return value === 0 ? 0 : Math.max(1, Math.ceil((value / Math.max(1, most)) * (SHADES - 1)));
}

/** Arrow keys go from tile to tile by their places on the map. */
function moveFocus(event: KeyboardEvent): void {
  const steps: Readonly<Record<string, readonly [number, number]>> = {
    ArrowLeft: [-1, 0],
    ArrowRight: [1, 0],
    ArrowUp: [0, -1],
    ArrowDown: [0, 1],
  };
  const step = steps[event.key];
  const { target, currentTarget: map } = event;
  if (step === undefined || !(target instanceof HTMLElement) || !(map instanceof HTMLElement)) return;
  const here = TILES.find(({ code }) => code === target.dataset['region']);
  if (here === undefined) return;
  const ahead = TILES.filter(({ column, row }) => (column - here.column) * step[0] + (row - here.row) * step[1] > 0);
  const distance = (tile: (typeof TILES)[number]): number =>
    step[0] === 0
      ? Math.abs(tile.row - here.row) + 3 * Math.abs(tile.column - here.column)
      : Math.abs(tile.column - here.column) + 3 * Math.abs(tile.row - here.row);
  const [next] = ahead.toSorted((a, b) => distance(a) - distance(b));
  if (next === undefined) return;
  event.preventDefault();
  map.querySelector<HTMLElement>(`[data-region="${next.code}"]`)?.focus();
}

function tileMap(
  answer: FiguresAnswer,
  shown: Shown,
  selected: string | undefined,
  select: (code: string) => void,
): HTMLElement {
  const sums = new Map(answer.figures.regions.map(({ name, sums: of }) => [name, of]));
  const regions = new Map(answer.regions.map((region) => [region.code, region]));
  const valueOf = (code: string): number => {
    const of = sums.get(code);
    return of === undefined ? 0 : shown.of(of);
  };
  const most = Math.max(...TILES.map(({ code }) => valueOf(code)));
  const tiles = TILES.map(({ code, short: character, column, row }) => {
    const value = valueOf(code);
    const name = nameOf(regions.get(code), code);
    return h(
      'button',
      {
        type: 'button',
        class: `tile shade-${shadeOf(value, most)} column-${column} row-${row}`,
        'data-region': code,
        'aria-label': `${name}: ${grouped(value)} ${t(shown.word)}`,
        'aria-pressed': String(code === selected),
        title: `${name}: ${grouped(value)}`,
        click: () => select(code),
      },
      h('span', { class: 'short', 'aria-hidden': 'true', lang: 'zh' }, character),
      h('span', { class: 'name', 'aria-hidden': 'true' }, name),
      h('span', { class: 'value', 'aria-hidden': 'true' }, short(value)),
    );
  });
  const listener = (event: Event): void => {
    if (event instanceof KeyboardEvent) moveFocus(event);
  };
  return h('div', { class: 'map', role: 'group', 'aria-label': t('map'), keydown: listener }, ...tiles);
}

function rowOf(name: string, sums: Sums): Child[] {
  return [name, ...SHOWN.map(({ of }) => grouped(of(sums)))];
}

function partTable(title: string, parts: readonly Part[], rowName: (name: string) => string): HTMLElement {
  const headers = [t('name'), ...SHOWN.map(({ word }) => t(word))];
  return table(
    title,
    headers,
    parts.map(({ name, sums }) => rowOf(rowName(name), sums)),
  );
}

/** Devices of each model by status. */
function modelTable(models: readonly Part[]): HTMLElement {
  const counts = models.map(({ name, sums: { devices } }): Child[] => {
    const of = (status: string): number => devices[status] ?? 0;
    const out = of('suspended') + of('quarantined') + of('decommissioned');
    return [name, grouped(of('registered')), grouped(of('in-service')), grouped(out)];
  });
  return table(t('models'), [t('name'), t('registered'), t('devicesInService'), t('outOfService')], counts);
}

/** Columns over the days of the period. */
function dayChart({ figures: { period, days } }: FiguresAnswer): HTMLElement {
  const known = new Map(days.map(({ name, sums }) => [name, sums.certificates.issued]));
  const values: (readonly [string, number])[] = [];
  const end = Date.parse(period.to);
  for (let day = Date.parse(period.from); day <= end; day += 86_400_000) {
    const name = new Date(day).toISOString().slice(0, 10);
    values.push([name, known.get(name) ?? 0]);
  }
  const most = Math.max(1, ...values.map(([, value]) => value));
  const [width, height] = [600, 120];
  const step = width / values.length;
  const bars = values.map(([name, value], at) => {
    const tall = (value / most) * (height - 22);
    const place = {
      x: String(at * step + 1),
      y: String(height - tall - 2),
      width: String(step - 2),
      height: String(tall),
    };
    return svg('rect', { ...place, class: 'bar' }, svg('title', {}, `${name}: ${value}`));
  });
  const label = svg('text', { x: '0', y: '12', class: 'axis' }, grouped(most));
  const box = { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': t('byDay') };
  const ends = h('div', { class: 'ends' }, h('span', {}, period.from), h('span', {}, period.to));
  return h('section', {}, h('h2', {}, t('byDay')), svg('svg', box, label, ...bars), ends);
}

/** One bar, divided by hierarchy. */
function hierarchyBar({ figures: { algorithms } }: FiguresAnswer): HTMLElement {
  const whole = algorithms.reduce((sum, { sums }) => sum + sums.certificates.valid, 0);
  let x = 0;
  const parts = algorithms.map(({ name, sums }, at) => {
    const width = whole === 0 ? 0 : (sums.certificates.valid / whole) * 600;
    const rect = svg('rect', { x: String(x), y: '0', width: String(width), height: '18', class: `part-${at % 4}` });
    x += width;
    return { rect, text: `${name} ${percent(sums.certificates.valid, whole)} (${grouped(sums.certificates.valid)})` };
  });
  const box = { viewBox: '0 0 600 18', role: 'img', 'aria-label': parts.map(({ text }) => text).join(', ') };
  const legend = parts.map(({ text }, at) => h('li', {}, h('span', { class: `key part-${at % 4}` }), text));
  const bar = svg('svg', box, ...parts.map(({ rect }) => rect));
  return h('section', {}, h('h2', {}, t('algorithms')), bar, h('ul', { class: 'legend' }, ...legend));
}

/** The view; what is chosen in it is drawn anew without asking again. */
export async function overview(): Promise<HTMLElement> {
  const answer = (await readJson('/api/v1/supervision/figures')) as FiguresAnswer;
  const view = h('div', {});
  const chosen: { shown: Shown; region: string | undefined } = {
    shown: SHOWN[0] ?? { word: 'certificatesValid', of: ({ certificates }) => certificates.valid },
    region: undefined,
  };
  const draw = (): void => view.replaceChildren(...content(answer, chosen, draw));
  draw();
  return view;
}

function content(
  answer: FiguresAnswer,
  chosen: { shown: Shown; region: string | undefined },
  draw: () => void,
): HTMLElement[] {
  const { figures, events, at, regions } = answer;
  const names = new Map(regions.map((region) => [region.code, region]));
  const options = SHOWN.map(({ word }, index) =>
    h('option', { value: String(index), ...(word === chosen.shown.word ? { selected: '' } : {}) }, t(word)),
  );
  const choose = (event: Event): void => {
    const { target } = event;
    if (target instanceof HTMLSelectElement) chosen.shown = SHOWN[Number(target.value)] ?? chosen.shown;
    draw();
    document.querySelector<HTMLElement>('#measure')?.focus();
  };
  const select = (code: string): void => {
    chosen.region = chosen.region === code ? undefined : code;
    draw();
    document.querySelector<HTMLElement>(`[data-region="${code}"]`)?.focus();
  };
  const ofRegion = figures.regions.filter(({ name }) => name === chosen.region);
  const place = chosen.region === undefined ? '' : nameOf(names.get(chosen.region), chosen.region);
  const detail =
    chosen.region === undefined ? [] : [partTable(place, ofRegion.length === 0 ? [] : ofRegion, () => place)];
  return [
    h('p', { class: 'note' }, `${at} · ${t('basis')} ${grouped(events)} ${t('events')}`),
    cards(answer),
    h(
      'section',
      {},
      h('h2', {}, t('region')),
      h('label', { for: 'measure' }, `${t('measure')} `),
      h('select', { id: 'measure', change: choose }, ...options),
      tileMap(answer, chosen.shown, chosen.region, select),
      ...detail,
    ),
    h('div', { class: 'pair' }, hierarchyBar(answer), dayChart(answer)),
    h(
      'section',
      {},
      partTable(t('region'), figures.regions, (code) => nameOf(names.get(code), code)),
    ),
    h('section', {}, modelTable(figures.models)),
    h(
      'section',
      {},
      partTable(t('profiles'), figures.profiles, (name) => name),
    ),
  ];
}
