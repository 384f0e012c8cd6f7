/** Elements of the page. Text is only ever set as text: nothing that came from the service is taken for markup. */

export type Child = Node | string;
export type Attributes = Readonly<Record<string, string | ((event: Event) => void)>>;

const SVG = 'http://www.w3.org/2000/svg';

function fill<E extends Element>(element: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'string') element.setAttribute(name, value);
    else element.addEventListener(name, value);
  }
  element.append(...children);
  return element;
}

/** An HTML element; attributes with a function are listeners. */
export function h<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
  return fill(document.createElement(name), attributes, children);
}

/** An SVG element. */
export function svg(name: string, attributes: Attributes = {}, ...children: readonly Child[]): Element {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function isNumber(cell: Child | undefined): boolean {
  return typeof cell === 'string' && /^[\d\u2009.%–-]+$/.test(cell);
}

/** A table with a caption for those who do not see it; numbers stand right. */
export function table(caption: string, headers: readonly string[], rows: readonly (readonly Child[])[]): HTMLElement {
  const [first = []] = rows;
  const head = h(
    'tr',
    {},
    ...headers.map((header, at) =>
      h('th', { scope: 'col', ...(at > 0 && isNumber(first[at]) ? { class: 'number' } : {}) }, header),
    ),
  );
  const body = rows.map((cells) =>
    h(
      'tr',
      {},
      ...cells.map((cell, at) =>
        at === 0 ? h('th', { scope: 'row' }, cell) : h('td', isNumber(cell) ? { class: 'number' } : {}, cell),
      ),
    ),
  );
  const element = h('table', {}, h('caption', {}, caption), h('thead', {}, head), h('tbody', {}, ...body));
  // A wide table scrolls in its frame, which the keyboard reaches.
  return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption }, element);
}
