/** The audit log: events searched from the newest on, each with its proof verified in this browser. */
import { readLogCertificate } from '../verifier/certificate.ts';
import { parseNote, signedAt } from '../verifier/note.ts';
import { fromBase64, utf8 } from '../verifier/octets.ts';
import { isIncluded, leafHash } from '../verifier/tree.ts';
import { h, table } from './elements.ts';
import { grouped } from './figures.ts';
import { member, readJson, readText } from './service.ts';
import { t } from './words.ts';

const SHOWN_TOGETHER = 20;
const PAGE = 500;
/** Pages that one search looks through. */
const PAGES = 20;

interface Checkpoint {
  readonly size: number;
  readonly root: Uint8Array;
  readonly kid: string;
  readonly time: Date;
}

interface Entry {
  readonly index: number;
  readonly canon: string;
}

/** The newest checkpoint, once the signature of the log's key on it has verified here. */
async function verifiedCheckpoint(): Promise<Checkpoint> {
  const [text, pem] = await Promise.all([readText('/api/v1/audit/checkpoint'), readText('/api/v1/audit/certificate')]);
  const note = parseNote(text);
  const key = readLogCertificate(pem);
  const time =
    note === undefined || key === undefined
      ? undefined
      : signedAt(note, { name: note.origin, signer: 'log', point: key.point });
  if (note === undefined || key === undefined || typeof time !== 'number') throw new Error(t('checkpointBad'));
  return { size: note.size, root: note.root, kid: key.kid, time: new Date(time * 1000) };
}

async function page(from: number, limit: number): Promise<Entry[]> {
  const lines = (await readText(`/api/v1/audit/events?from=${from}&limit=${limit}`)).split('\n');
  return lines.flatMap((line) => {
    if (line === '') return [];
    const value: unknown = JSON.parse(line);
    const canon = member(value, 'canon');
    const index: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'index') : undefined;
    return canon === undefined || typeof index !== 'number' ? [] : [{ index, canon }];
  });
}

/** True when the event, as its octets are, is in the tree of the checkpoint at that place. */
async function isProven({ index, canon }: Entry, { size, root }: Checkpoint): Promise<boolean> {
  const answer = await readJson(`/api/v1/audit/proof/inclusion?index=${index}&size=${size}`);
  const hashes: unknown = typeof answer === 'object' && answer !== null ? Reflect.get(answer, 'proof') : undefined;
  if (!Array.isArray(hashes)) return false;
  const proof = hashes.map((hash: unknown) => (typeof hash === 'string' ? fromBase64(hash) : undefined));
  if (proof.some((hash) => hash === undefined)) return false;
  const known = proof.filter((hash) => hash !== undefined);
  return isIncluded({ index, size, leaf: leafHash(utf8(canon)), root, proof: known });
}

function fieldsOf(canon: string): { act: string; ts: string; actor: string; out: string; detail: string } {
  const record: unknown = JSON.parse(canon);
  const actor: unknown = typeof record === 'object' && record !== null ? Reflect.get(record, 'actor') : undefined;
  const detail: unknown = typeof record === 'object' && record !== null ? Reflect.get(record, 'det') : undefined;
  const shown = Object.entries(typeof detail === 'object' && detail !== null ? detail : {})
    .filter(([, value]) => typeof value !== 'string' || value.length <= 40)
    .map(([name, value]) => `${name}=${String(value)}`);
  return {
    act: member(record, 'act') ?? '',
    ts: (member(record, 'ts') ?? '').slice(0, 19).replace('T', ' '),
    actor: member(actor, 'id') ?? '',
    out: member(record, 'out') ?? '',
    detail: shown.join(' '),
  };
}

/** Rows of events, each with a mark that says how its verification ended. */
function rows(entries: readonly Entry[], checkpoint: Checkpoint): HTMLElement {
  const cells = entries.map((entry) => {
    const { act, ts, actor, out, detail } = fieldsOf(entry.canon);
    const mark = h('span', { class: 'proof', role: 'status' }, t('verifying'));
    isProven(entry, checkpoint).then(
      (isGood) => {
        mark.textContent = isGood ? `✓ ${t('verified')}` : `✗ ${t('notVerified')}`;
        mark.className = isGood ? 'proof good' : 'proof bad';
      },
      (error: unknown) => {
        mark.textContent = `✗ ${String(error)}`;
        mark.className = 'proof bad';
      },
    );
    return [String(entry.index), mark, ts, act, actor, out, detail];
  });
  const headers = [t('index'), t('proof'), t('time'), t('act'), t('actor'), t('outcome'), t('details')];
  return table(t('audit'), headers, cells);
}

class Search {
  #before: number;

  constructor({ size }: Checkpoint) {
    this.#before = size;
  }

  get isOver(): boolean {
    return this.#before === 0;
  }

  /** The next events from the newest on that hold the text. */
  async next(text: string): Promise<Entry[]> {
    const wanted = text.trim().toLowerCase();
    const found: Entry[] = [];
    for (let pages = 0; pages < PAGES && this.#before > 0; pages += 1) {
      const from = Math.max(0, this.#before - PAGE);
      const newestFirst = (await page(from, this.#before - from)).toReversed();
      for (const entry of newestFirst) {
        this.#before = entry.index;
        if (entry.canon.toLowerCase().includes(wanted)) found.push(entry);
        if (found.length === SHOWN_TOGETHER) return found;
      }
      this.#before = from;
    }
    return found;
  }
}

/** The view. */
export async function audit(): Promise<HTMLElement> {
  const checkpoint = await verifiedCheckpoint();
  const input = h('input', { type: 'search', id: 'audit-text', maxlength: '100' });
  const results = h('div', { 'aria-live': 'polite' });
  const older = h('button', { type: 'button' }, t('older'));
  let search = new Search(checkpoint);
  const show = async (isNew: boolean): Promise<void> => {
    if (isNew) search = new Search(checkpoint);
    older.disabled = true;
    const entries = await search.next(input.value);
    const found = entries.length === 0 ? h('p', { class: 'note' }, t('none')) : rows(entries, checkpoint);
    if (isNew) results.replaceChildren(found);
    else results.append(found);
    older.disabled = search.isOver;
  };
  const run = (isNew: boolean): void => {
    show(isNew).catch((error: unknown) => results.replaceChildren(h('p', { class: 'bad' }, String(error))));
  };
  older.addEventListener('click', () => run(false));
  const submit = (event: Event): void => {
    event.preventDefault();
    run(true);
  };
  const form = h(
    'form',
    { role: 'search', submit },
    h('label', { for: 'audit-text' }, t('searchText')),
    input,
    h('button', { type: 'submit' }, t('search')),
  );
  await show(true);
  const { size, time, kid } = checkpoint;
  return h(
    'div',
    {},
    h('p', { class: 'good' }, `✓ ${t('checkpoint')} ${grouped(size)} · ${time.toISOString()}`),
    h('p', { class: 'note kid' }, `${t('logKey')}: ${kid}`),
    h('p', { class: 'note' }, t('verifiedHere')),
    form,
    results,
    older,
  );
}
