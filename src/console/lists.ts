/** Views that are one list each: approvals, pools, alarms, root upgrade. */
import { h, table, type Child } from './elements.ts';
import { grouped } from './figures.ts';
import { items, member, readJson } from './service.ts';
import { t, type Word } from './words.ts';

function text(value: unknown, name: string): string {
  return member(value, name) ?? '';
}

function number(value: unknown, name: string): string {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  if (typeof found === 'number') return grouped(found);
  return typeof found === 'string' && /^\d+$/.test(found) ? grouped(Number(found)) : '–';
}

function list(title: Word, headers: readonly Word[], rows: readonly (readonly Child[])[]): HTMLElement {
  if (rows.length === 0) return h('p', { class: 'note' }, t('none'));
  return table(t(title), headers.map(t), rows);
}

/** Requests on which people still decide. */
export async function approvals(): Promise<HTMLElement> {
  const open = items(await readJson('/api/v1/requests?state=OPEN&limit=200'));
  const ripe = items(await readJson('/api/v1/requests?state=QUORUM&limit=200'));
  const rows = [...open, ...ripe].map((one) =>
    ['id', 'op', 'target', 'proposer', 'state', 'expiresAt'].map((name) => text(one, name)),
  );
  return list('approvals', ['request', 'act', 'targetOf', 'proposer', 'state', 'expires'], rows);
}

function sum(parts: unknown, name: string): string {
  const numbers = (Array.isArray(parts) ? parts : []).map((part: unknown): unknown =>
    typeof part === 'object' && part !== null ? Reflect.get(part, name) : 0,
  );
  return grouped(numbers.reduce((total: number, one) => total + (typeof one === 'number' ? one : 0), 0));
}

/** Other authorities that the centre supervises. */
export async function supervised(): Promise<HTMLElement> {
  const found = items(await readJson('/api/v1/supervision/authorities?limit=200'));
  const rows = found.map((one): Child[] => {
    const certificates: unknown = typeof one === 'object' && one !== null ? Reflect.get(one, 'certificates') : [];
    const crl: unknown = typeof one === 'object' && one !== null ? Reflect.get(one, 'crl') : undefined;
    const isStale = typeof crl === 'object' && crl !== null && Reflect.get(crl, 'stale') === true;
    const end = crl === undefined || isStale ? h('strong', { class: 'bad' }, t('stale')) : text(crl, 'nextUpdate');
    const counts = ['valid', 'expired', 'revoked', 'weak', 'faulty'].map((name) => sum(certificates, name));
    return [text(one, 'name'), text(one, 'region'), text(one, 'state'), ...counts, end];
  });
  return list('supervised', ['name', 'region', 'state', 'valid', 'expired', 'revoked', 'weak', 'faulty', 'crl'], rows);
}

export async function pools(): Promise<HTMLElement> {
  const found = items(await readJson('/api/v1/pools'));
  const rows = found.map((one): Child[] => {
    const isLow = typeof one === 'object' && one !== null && Reflect.get(one, 'belowLow') === true;
    const state = isLow ? h('strong', { class: 'bad' }, t('belowLow')) : '';
    return [text(one, 'name'), ...['spare', 'generated', 'low', 'high'].map((name) => number(one, name)), state];
  });
  return list('pools', ['pool', 'spare', 'unreleased', 'low', 'high', 'state'], rows);
}

export async function alarms(): Promise<HTMLElement> {
  const found = items(await readJson('/api/v1/supervision/alarms?limit=200'));
  const rows = found.map((one) => [
    text(one, 'kind'),
    text(one, 'region'),
    text(one, 'subject'),
    text(one, 'raisedAt'),
    text(one, 'says'),
  ]);
  return list('alarms', ['kind', 'region', 'name', 'since', 'details'], rows);
}

/** Each upgrade with how far the regions have come. */
export async function upgrades(): Promise<HTMLElement> {
  const found = items(await readJson('/api/v1/root-upgrades'));
  const parts = await Promise.all(
    found.map(async (one) => {
      const id = text(one, 'id');
      const readiness = await readJson(`/api/v1/root-upgrades/${encodeURIComponent(id)}/readiness`);
      return h('section', {}, h('h2', {}, `${id} · ${text(one, 'state')}`), readinessTable(readiness));
    }),
  );
  return parts.length === 0 ? h('p', { class: 'note' }, t('none')) : h('div', {}, ...parts);
}

function readinessTable(readiness: unknown): HTMLElement {
  const regions: unknown = typeof readiness === 'object' && readiness !== null ? Reflect.get(readiness, 'regions') : [];
  const rows = (Array.isArray(regions) ? regions : []).map((one: unknown): Child[] => {
    const reached: unknown = typeof one === 'object' && one !== null ? Reflect.get(one, 'reached') : {};
    return [
      text(one, 'region'),
      number(one, 'counted'),
      number(reached, 'INSTALLED'),
      number(reached, 'MIGRATED'),
      number(one, 'dark'),
    ];
  });
  return list('upgrade', ['region', 'counted', 'ready', 'migrated', 'dark'], rows);
}
