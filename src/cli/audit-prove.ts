/** `kmc audit prove`: the complete history of one thing as a file, checked before it is kept. */
import { errorOfAnswer, type KmcClient } from '../agent/signed-client.ts';
import { KmcError } from '../errors.ts';
import { reportText } from '../verifier/report.ts';
import { verifyHistory, type HistoryReport, type ProvenEvent } from '../verifier/verify-history.ts';
import { table, type CommandInput, type OptionSpec, type Outcome } from './command.ts';
import { writeNewFile } from './named-file.ts';

export const HISTORY_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  key: { type: 'string', value: 'ID', help: 'history of a key (then the key of the caller is --key-file)' },
  certificate: { type: 'string', value: 'ID', help: 'history of a certificate' },
  device: { type: 'string', value: 'ID', help: 'history of a device' },
  administrator: { type: 'string', value: 'ID', help: 'what a person did' },
  subject: { type: 'string', value: 'TYPE:ID', help: 'history of anything else, e.g. request:req-01j...' },
  from: { type: 'string', value: 'TIME', help: 'beginning of the period to show, e.g. 2026-01-01T00:00:00Z' },
  to: { type: 'string', value: 'TIME', help: 'its end' },
};

const TRIES = 30;
const PATH = '/api/v1/audit/proof/history';

/** What the options name, as type and id. @throws KmcError E_USAGE unless it is one thing. */
export function historyOf(input: CommandInput): { readonly type: string; readonly id: string } {
  const named: { type: string; id: string }[] = ['key', 'certificate', 'device'].flatMap((type) => {
    const id = input.text(type);
    return id === undefined ? [] : [{ type, id }];
  });
  const person = input.text('administrator');
  if (person !== undefined) named.push({ type: 'actor', id: `person:${person}` });
  const subject = /^([a-z-]+):(.+)$/.exec(input.text('subject') ?? '');
  if (subject !== null) named.push({ type: subject[1] ?? '', id: subject[2] ?? '' });
  const [one, ...more] = named;
  if (one !== undefined && more.length === 0) return one;
  throw new KmcError(
    'E_USAGE',
    'Name one of --key, --certificate, --device, --administrator and --subject; your own key is --key-file here.',
  );
}

/** The history file as the service sends it; waits while its index is brought up. @throws KmcError as answered. */
export async function fetchHistory(
  client: KmcClient,
  input: CommandInput,
  wait: (seconds: number) => Promise<void>,
): Promise<string> {
  const query = new URLSearchParams(historyOf(input));
  for (const name of ['from', 'to']) {
    const time = input.text(name);
    if (time !== undefined) query.set(name, time);
  }
  for (let tries = 1; ; tries += 1) {
    const answer = await client.send('GET', `${PATH}?${query.toString()}`);
    if (answer.status === 200) return answer.body.toString('utf8');
    const error = errorOfAnswer(answer);
    if (error.code !== 'E_PENDING' || tries === TRIES) throw error;
    await wait(error.retryAfter ?? 1);
  }
}

/** Fetches, verifies and keeps a history. Nothing is kept that does not verify. */
export async function runAuditProve(
  client: KmcClient,
  input: CommandInput,
  wait: (seconds: number) => Promise<void>,
): Promise<Outcome> {
  const out = input.required('out');
  const history = await fetchHistory(client, input, wait);
  const report = verifyHistory(history);
  if (report.exitCode === 0) writeNewFile(out, history);
  return historyOutcome(report);
}

/** The report of a history, with the events of the period. */
export function historyOutcome(report: HistoryReport): Outcome {
  const { inPeriod, key, period, events } = report;
  const span = [period.from ?? 'the beginning', period.to ?? 'the checkpoint'].join(' to ');
  const shown = table(['EVENT', 'TIME', 'ACT', 'OUTCOME', 'BY'], inPeriod.map(rowOf));
  const sum = `${key}: ${inPeriod.length} events from ${span}, ${events.length} in all`;
  const end = report.exitCode === 0 ? `${sum}, and there is none else` : sum;
  return { exitCode: report.exitCode, json: report, text: [shown, end, reportText(report)].join('\n') };
}

function rowOf({ index, event: { act, actor, out, ts } }: ProvenEvent): string[] {
  return [String(index), ts, act, out, `${actor.t} ${actor.id}`];
}
