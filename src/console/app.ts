/** The console: read-only views of what supervision sees, for whoever signed in. */
import { audit } from './audit.ts';
import { h } from './elements.ts';
import { alarms, approvals, pools, supervised, upgrades } from './lists.ts';
import { overview } from './overview.ts';
import { member, post, readJson, ServiceError } from './service.ts';
import { signIn } from './sign-in.ts';
import { currentLanguage, switchLanguage, t } from './words.ts';

const VIEWS = { overview, upgrade: upgrades, approvals, pools, supervised, alarms, audit } as const;
type View = keyof typeof VIEWS;
const VIEW_NAMES = Object.keys(VIEWS) as readonly View[];

const main = h('main', { id: 'main', tabindex: '-1' });
let person: string | undefined;
/** Which drawing is the newest: an older one that comes late is thrown away. */
let drawing = 0;

function viewNow(): View {
  const wanted = location.hash.slice(1);
  return VIEW_NAMES.find((name) => name === wanted) ?? 'overview';
}

function header(): HTMLElement {
  const other = (): void => {
    switchLanguage();
    draw();
  };
  const leave = (): void => {
    const done = (): void => {
      person = undefined;
      draw();
    };
    post('/console/sign-out', {}).then(done, done);
  };
  const links = VIEW_NAMES.map((name) =>
    h('a', { href: `#${name}`, ...(name === viewNow() ? { 'aria-current': 'page' } : {}) }, t(name)),
  );
  const out =
    person === undefined
      ? []
      : [h('span', { class: 'person' }, person), h('button', { type: 'button', click: leave }, t('signOut'))];
  const language = h('button', { type: 'button', id: 'language', click: other }, t('language'));
  return h(
    'header',
    {},
    h('h1', {}, t('title')),
    h('div', { class: 'tools' }, ...out, language),
    ...(person === undefined ? [] : [h('nav', { 'aria-label': t('views') }, ...links)]),
  );
}

function refusal(error: unknown): HTMLElement {
  if (error instanceof ServiceError && error.status === 403) return h('p', { class: 'note' }, t('notForRole'));
  if (error instanceof ServiceError && (error.status === 404 || error.status === 401))
    return h('p', { class: 'note' }, t('notThere'));
  const why = error instanceof Error ? error.message : String(error);
  return h('p', { class: 'bad', role: 'alert' }, `${t('failed')}: ${why}`);
}

/** A route that is not the console's refuses too: only the session itself says whether it is over. */
async function isOpen(): Promise<boolean> {
  return await readJson('/api/v1/console/caller').then(
    () => true,
    () => false,
  );
}

async function show(): Promise<void> {
  drawing += 1;
  const mine = drawing;
  try {
    const view = await VIEWS[viewNow()]();
    if (mine === drawing) main.replaceChildren(view);
  } catch (error) {
    if (mine !== drawing) return;
    if (error instanceof ServiceError && error.status === 401 && !(await isOpen())) {
      person = undefined;
      frame(signIn(enter), h('p', { class: 'note' }, t('over')));
      return;
    }
    main.replaceChildren(refusal(error));
  }
  main.dataset['view'] = viewNow();
}

function frame(...content: readonly HTMLElement[]): void {
  document.documentElement.lang = currentLanguage();
  document.title = t('title');
  main.replaceChildren(...content);
  document.body.replaceChildren(header(), main);
}

function draw(): void {
  if (person === undefined) {
    frame(signIn(enter));
    return;
  }
  frame(h('p', { class: 'note' }, '…'));
  void show();
}

function enter(): void {
  readJson('/api/v1/console/caller').then(
    (caller) => {
      person = member(caller, 'id');
      draw();
    },
    () => {
      person = undefined;
      draw();
    },
  );
}

window.addEventListener('hashchange', () => {
  draw();
  main.focus();
});
enter();
