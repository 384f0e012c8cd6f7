/** `kmc supervise`: figures and reports of supervision, and their making anew from a copy of the log. */
import { mkdirSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { SIGNATURE_ALGORITHMS } from '../crypto/algorithms.ts';
import { errorOfAnswer, type KmcClient } from '../agent/signed-client.ts';
import { signedTime } from '../domain/signed-body.ts';
import {
  attestationBody,
  attestationBytes,
  type ReportFiles,
  type SignedAttestation,
} from '../domain/supervision/attestation.ts';
import { requireMonth } from '../domain/supervision/month.ts';
import { readReportFile } from '../domain/supervision/report.ts';
import { KmcError } from '../errors.ts';
import { table, type Command, type CommandContext, type CommandInput, type Outcome } from './command.ts';
import { writeNewFile } from './named-file.ts';
import { targetCommands } from './supervise-targets.ts';
import { recomputeReport, recomputeTotals } from './supervise-recompute.ts';

const PATH = '/api/v1/supervision';

async function file(client: KmcClient, month: string, form: keyof ReportFiles): Promise<Buffer> {
  const answer = await client.send('GET', `${PATH}/reports/${month}?form=${form}`);
  if (answer.status !== 200) throw errorOfAnswer(answer);
  return answer.body;
}

/** The auditor's signature over the digests of the files, made here. */
async function attested(context: CommandContext, month: string, files: ReportFiles): Promise<SignedAttestation> {
  const { key, certificate } = await context.personalKey();
  const body = attestationBody(month, files, { certificate, signedAt: signedTime(new Date()) });
  const signature = await context.engine.sign(key, 'SM2-SM3', attestationBytes(body));
  return {
    body,
    signature: SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(signature).toString('base64'),
    certificate: certificate.toString('base64'),
  };
}

async function report(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const month = requireMonth(input.required('month'));
  const out = input.required('out');
  if (existsSync(out)) throw new KmcError('E_EXISTS', `There is something of that name already: ${out}`);
  const client = await context.client();
  const json = await file(client, month, 'json');
  // Of a month that is not over each asking may give another report: the three files are of one.
  const files = { json, csv: await file(client, month, 'csv'), html: await file(client, month, 'html') };
  if (!(await file(client, month, 'json')).equals(json)) {
    throw new KmcError('E_CONFLICT', 'The month is not over, and the log grew meanwhile: ask again.');
  }
  const signed = input.flag('sign') ? await attested(context, month, files) : undefined;
  mkdirSync(out, { recursive: true });
  for (const form of ['json', 'csv', 'html'] as const) writeNewFile(join(out, `report.${form}`), files[form]);
  if (signed !== undefined) writeNewFile(join(out, 'report.sig.json'), `${JSON.stringify(signed, undefined, 2)}\n`);
  const { complete, events, figures } = readReportFile(json);
  const { valid, issued, revoked } = figures.total.certificates;
  return {
    json: { month, complete, events, out, signed: signed !== undefined, valid, issued, revoked },
    text: [
      `${month}: ${valid} valid certificates, ${issued} issued, ${revoked} revoked; from ${events} events`,
      complete ? 'The month is over: this report is final.' : 'The month is not over: this is a preview.',
      `Written to ${out}${signed === undefined ? ', not signed' : ', signed'}.`,
    ].join('\n'),
  };
}

async function recompute(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const [directory = ''] = input.positionals;
  const reportFile = input.text('report');
  const signature = input.text('signature');
  const progress = (done: number, total: number): void => context.progress('recompute', done, total);
  const result =
    reportFile === undefined
      ? await recomputeTotals(directory, await (await context.client()).json('GET', `${PATH}/totals`), progress)
      : await recomputeReport(
          directory,
          { report: reportFile, ...(signature === undefined ? {} : { signature }) },
          progress,
        );
  const { differences, events, compared, seconds } = result;
  const rows = differences.map(({ figure, stated, computed }) => [figure, String(stated), String(computed)]);
  const text = [
    `${compared} made anew from ${events} events in ${seconds.toFixed(1)} s`,
    differences.length === 0 ? 'everything is what the events give' : `${differences.length} differ:`,
    ...(rows.length === 0 ? [] : [table(['FIGURE', 'STATED', 'COMPUTED'], rows)]),
  ].join('\n');
  return { exitCode: differences.length === 0 ? 0 : 4, json: result, text };
}

/** The commands of `kmc supervise`. */
export const commands: readonly Command[] = [
  ...targetCommands,
  {
    noun: 'supervise',
    verb: 'report',
    summary: 'Writes the report of a month: JSON, CSV, and a page to be printed.',
    details: ['With --sign the digests of the three files are signed with --key: an auditor attests them.'],
    example:
      'kmc supervise report --month 2026-11 --out report-2026-11 --sign --key auditor.key.pem --cert auditor.crt.pem',
    options: {
      month: { type: 'string', value: 'YYYY-MM', help: 'the month, in UTC', required: true },
      out: { type: 'string', value: 'DIR', help: 'new folder for the files', required: true },
      sign: { type: 'boolean', help: 'sign them with --key (an SM2 key) into report.sig.json' },
    },
    run: report,
  },
  {
    noun: 'supervise',
    verb: 'recompute',
    summary:
      'Makes figures anew from a copy of the log (kmc audit pull), and names every one that differs; exit 4 then.',
    details: [
      'With --report the report of that file is made anew, octet by octet; with --signature its signature is checked too.',
      'Without it the totals of the service at --url are.',
      'Events must be those of the signed checkpoint of the copy; kmc audit verify checks the copy as a whole.',
    ],
    example: 'kmc supervise recompute audit-copy --report report-2026-11/report.json',
    positionals: ['DIR'],
    options: {
      report: { type: 'string', value: 'FILE', help: 'a report.json' },
      signature: { type: 'string', value: 'FILE', help: 'its report.sig.json' },
    },
    run: recompute,
  },
];
