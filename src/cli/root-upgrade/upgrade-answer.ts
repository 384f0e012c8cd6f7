/** A root upgrade as the service answers it, for people. */
import { isObject } from '../../domain/signed-body.ts';
import type { Blocker } from '../../errors.ts';
import { answerItems, answerText } from '../answer-table.ts';
import { table } from '../command.ts';

/** Path of an upgrade, or of something below it. */
export function upgradePath(id: string, below = ''): string {
  return `/api/v1/root-upgrades/${encodeURIComponent(id)}${below}`;
}

const FACTS = ['id', 'kind', 'bundle', 'state', 'meaning', 'version', 'planDigest', 'supersededBy'] as const;

function listIn(value: unknown, name: string): readonly unknown[] {
  return answerItems({ items: isObject(value) ? value[name] : undefined });
}

function textsIn(value: unknown, name: string): string[] {
  return listIn(value, name).filter((item): item is string => typeof item === 'string');
}

/** One line for each thing that stands in the way, with the devices that it names. */
function blockerLines(blockers: readonly unknown[]): string[] {
  return blockers.map((blocker) => {
    const devices = textsIn(blocker, 'devices');
    const named = devices.length === 0 ? '' : ` [${devices.join(' ')}]`;
    return `  ${answerText(blocker, 'guard')}: ${answerText(blocker, 'text')}${named}`;
  });
}

/** The same of an error. */
export function blockersText(blockedBy: readonly Blocker[]): string {
  return blockerLines(blockedBy).join('\n');
}

/** Where it stands, what it did, and what blocks each way out. */
export function upgradeText(answer: unknown): string {
  const facts = FACTS.map((name) => [name, answerText(answer, name)]).filter(([, text]) => text !== '');
  const isSuspended = isObject(answer) && answer['suspended'] === true;
  const waves = isObject(answer) ? answer['waves'] : undefined;
  const history = listIn(answer, 'history').map((step) =>
    ['at', 'step', 'from', 'to', 'actor', 'request'].map((name) => answerText(step, name)),
  );
  const ways = listIn(answer, 'transitions').flatMap((way) => {
    const blockers = listIn(way, 'blockedBy');
    const head = `${answerText(way, 'transition')} -> ${answerText(way, 'to')}: ${answerText(way, 'title')}`;
    return [blockers.length === 0 ? `${head} (open)` : `${head} (blocked)`, ...blockerLines(blockers)];
  });
  const weaker = textsIn(answer, 'weakerGates');
  return [
    table(
      ['FIELD', 'VALUE'],
      [
        ...facts,
        ...(isSuspended ? [['suspended', 'yes: two people resume it (kmc request create root.resume)']] : []),
        ['waves', `${answerText(waves, 'opened')} of ${answerText(waves, 'planned')} open`],
        ...weaker.map((line) => ['weaker gate', line]),
      ],
    ),
    ...(history.length === 0 ? [] : [table(['AT', 'STEP', 'FROM', 'TO', 'BY', 'REQUEST'], history)]),
    ...(ways.length === 0 ? [] : [ways.join('\n')]),
  ].join('\n\n');
}
