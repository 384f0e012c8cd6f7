/** `kmc status`: whether the service can do its work, and for people with a key the state of its keystore. */
import type { KmcClient } from '../agent/signed-client.ts';
import { parseStrictJson } from '../crypto/jcs.ts';
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { table, type Command } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { answerItems, listOutcome } from './answer-table.ts';
import { ALARM_COLUMNS } from './supervise-targets.ts';
import { keystoreText, readKeystoreStatus } from './keystore-status.ts';

/** What the service says beside its readiness while something is not as usual: break-glass, a pause of issuance. */
function exceptionsOf(readiness: unknown): Readonly<Record<string, unknown>> {
  if (!isObject(readiness)) return {};
  const { ready: _ready, reasons: _reasons, ...others } = readiness;
  return others;
}

const COLUMNS = ['kind', 'id', 'name', 'endsAt'] as const;

/** What ends soon, for people. */
function expiringText(items: readonly Readonly<Record<string, unknown>>[]): string {
  if (items.length === 0) return 'nothing ends soon';
  const rows = items.map((item) => COLUMNS.map((name) => String(item[name])));
  return table(['ENDS SOON', 'ID', 'NAME', 'ENDS AT'], rows);
}

function alarmText(answer: unknown): string {
  return answerItems(answer).length === 0 ? 'no alarm' : listOutcome(answer, ALARM_COLUMNS).text;
}

/** Open alarms as far as the caller sees them; nothing for one whose roles read none. */
async function openAlarms(client: KmcClient): Promise<unknown> {
  try {
    return await client.json('GET', '/api/v1/supervision/alarms');
  } catch (error) {
    if (error instanceof KmcError && error.code === 'E_FORBIDDEN') return undefined;
    throw error;
  }
}

export const commands: readonly Command[] = [
  {
    noun: 'status',
    verb: '',
    summary:
      'Shows whether the service is ready and why not; with --key also its keystore, what ends soon, and alarms. Exit 2 when it is not ready.',
    example: 'kmc status --url http://127.0.0.1:8440 --key me.key.pem --cert me.crt.pem',
    async run(_input, context) {
      const client = await context.client();
      // 503 is an answer like any other here.
      const { body } = await client.send('GET', '/readyz');
      const readiness: unknown = parseStrictJson(body);
      const ready = isObject(readiness) && readiness['ready'] === true;
      const reasons: readonly unknown[] =
        isObject(readiness) && Array.isArray(readiness['reasons']) ? readiness['reasons'] : [];
      const exceptions = exceptionsOf(readiness);
      const signed = context.environment.keyFile !== undefined;
      const keystore = signed ? await client.json('GET', '/api/v1/keystore') : undefined;
      const answer = signed && ready ? await client.json('GET', '/api/v1/expirations') : undefined;
      const alarms = signed && ready ? await openAlarms(client) : undefined;
      const expiring = answer === undefined ? undefined : answerItems(answer).filter(isObject);
      return {
        exitCode: ready ? EXIT.ok : EXIT.refused,
        json: {
          ready,
          reasons,
          ...exceptions,
          ...(keystore === undefined ? {} : { keystore }),
          ...(expiring === undefined ? {} : { expiring }),
          ...(alarms === undefined ? {} : { alarms: answerItems(alarms) }),
        },
        text: [
          ready ? 'ready' : `not ready: ${reasons.join(', ')}`,
          ...Object.entries(exceptions).map(([name, value]) => `ATTENTION ${name}: ${JSON.stringify(value)}`),
          ...(keystore === undefined ? [] : [keystoreText(readKeystoreStatus(keystore))]),
          ...(expiring === undefined ? [] : [expiringText(expiring)]),
          ...(alarms === undefined ? [] : [alarmText(alarms)]),
        ].join('\n'),
      };
    },
  },
];
