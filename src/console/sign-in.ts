/** Signing in: a challenge for this browser, a command for the person's own machine, a code back. */
import { h } from './elements.ts';
import { member, post } from './service.ts';
import { t } from './words.ts';

/** The view; `opened` is called once the session is open. */
export function signIn(opened: () => void): HTMLElement {
  const status = h('p', { class: 'bad', role: 'alert' });
  const steps = h('div', {});
  const fail = (error: unknown): void => {
    status.textContent = error instanceof Error ? error.message : String(error);
  };
  const begin = async (): Promise<void> => {
    status.textContent = '';
    const challenge = member(await post('/console/challenges', {}), 'challenge') ?? '';
    steps.replaceChildren(...codeStep(challenge, opened, fail));
    document.querySelector<HTMLElement>('#code')?.focus();
  };
  const start = h('button', { type: 'button', id: 'begin', click: () => void begin().catch(fail) }, t('newChallenge'));
  return h('section', { class: 'sign-in' }, h('h2', {}, t('signIn')), h('p', {}, t('signInHow')), start, steps, status);
}

function codeStep(challenge: string, opened: () => void, fail: (error: unknown) => void): HTMLElement[] {
  const input = h('input', { id: 'code', autocomplete: 'off', spellcheck: 'false', maxlength: '16', required: '' });
  const submit = (event: Event): void => {
    event.preventDefault();
    post('/console/sessions', { code: input.value }).then(opened, fail);
  };
  return [
    h('p', {}, `${t('challenge')} `, h('strong', { class: 'word', id: 'challenge' }, challenge)),
    h('p', {}, `${t('waitingFor')}: `, h('code', {}, `kmc console sign-in ${challenge} --url ${location.origin}`)),
    h(
      'form',
      { submit },
      h('label', { for: 'code' }, t('code')),
      input,
      h('button', { type: 'submit' }, t('openSession')),
    ),
  ];
}
