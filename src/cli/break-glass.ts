/** `kmc break-glass`: two of three sealed accounts stop things; everybody else looks, ends, verifies and reviews. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseStrictJson } from '../crypto/jcs.ts';
import { SIGNATURE_ALGORITHMS } from '../crypto/algorithms.ts';
import { openingBytes, readOpeningStatement, type OpeningBody } from '../domain/break-glass.ts';
import { reportDigest, verifyBreakGlassReport, type VerifiedReport } from '../domain/break-glass-report.ts';
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { errorOfAnswer } from '../agent/signed-client.ts';
import { AUDIT_FILES } from '../flows/audit/pulls/export-audit.ts';
import { draftOpening } from '../flows/break-glass/draft-opening.ts';
import { answerItems, answerText } from './answer-table.ts';
import {
  table,
  type Command,
  type CommandContext,
  type CommandInput,
  type OptionSpec,
  type Outcome,
} from './command.ts';
import { EXIT } from './exit-codes.ts';
import { readNamedFile, writeNewFile } from './named-file.ts';
import { certificateIn } from './participants.ts';
import { propose } from './propose.ts';
import { shownText } from './shown-value.ts';

const PATH = '/api/v1/break-glass';
const REASON: OptionSpec = { type: 'string', value: 'TEXT', required: true, help: 'why; stands in the audit log' };
const BAG: OptionSpec = { type: 'string', value: 'NUMBER', required: true, help: 'number printed on the bag' };

async function seal(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const [account = '', folder = ''] = input.positionals;
  const params = { bag: input.required('bag'), certificate: certificateIn(folder).toString('base64') };
  const asked = { op: 'break-glass.seal-account', targetId: account, params, reason: input.required('reason') };
  return await propose(context, asked);
}

/** What was declared with the first statement, or what is declared now. */
function declarationOf(
  input: CommandInput,
): Pick<OpeningBody, 'id' | 'environment' | 'reason' | 'declaredAt'> | Pick<OpeningBody, 'environment' | 'reason'> {
  const first = input.text('with');
  if (first !== undefined) return readOpeningStatement(parseStrictJson(readNamedFile(first, 'statement'))).body;
  return { environment: input.required('instance'), reason: input.required('reason') };
}

async function sign(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const { key, certificate } = await context.personalKey();
  const body = draftOpening({
    account: input.positionals[0] ?? '',
    bag: input.required('bag'),
    certificate,
    at: new Date(),
    declaration: declarationOf(input),
  });
  const signature = await context.engine.sign(key, 'SM2-SM3', openingBytes(body));
  const statement = {
    body,
    signature: SIGNATURE_ALGORITHMS['SM2-SM3'].toRaw(signature).toString('base64'),
    certificate: certificate.toString('base64'),
  };
  const out = input.required('out');
  writeNewFile(out, `${JSON.stringify(statement, null, 2)}\n`);
  return { json: statement, text: `${body.account} states session ${body.id}: ${out}` };
}

async function open(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const statements = input.list('statement').map((file): unknown => parseStrictJson(readNamedFile(file, 'statement')));
  const answer = await (await context.client()).json('POST', PATH, { statements });
  return {
    json: answer,
    text: `the glass is broken: session ${answerText(answer, 'session')} until ${answerText(answer, 'until')}`,
  };
}

async function call(context: CommandContext, path: string, body: object, text: string): Promise<Outcome> {
  return { json: await (await context.client()).json('POST', path, body), text };
}

async function status(_input: CommandInput, context: CommandContext): Promise<Outcome> {
  const answer = await (await context.client()).json('GET', PATH);
  const rowsOf = (name: string, columns: readonly string[]) =>
    answerItems({ items: isObject(answer) ? answer[name] : undefined }).map((item) =>
      columns.map((column) => shownText(answerText(item, column))),
    );
  const accounts = ['id', 'bag', 'state', 'sealedAt'];
  const sessions = ['id', 'openedAt', 'expiresAt', 'endedAt', 'reason'];
  return {
    json: answer,
    text: [table(accounts, rowsOf('accounts', accounts)), '', table(sessions, rowsOf('sessions', sessions))].join('\n'),
  };
}

async function report(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const session = input.positionals[0] ?? '';
  const answer = await (await context.client()).send('GET', `${PATH}/${encodeURIComponent(session)}/report`);
  if (answer.status !== 200) throw errorOfAnswer(answer);
  const text = answer.body.toString('utf8');
  const { acts } = verifyBreakGlassReport(text);
  const out = input.required('out');
  writeNewFile(out, answer.body);
  const digest = reportDigest(text);
  return { json: { session, digest, acts: acts.length, file: out }, text: `${acts.length} acts, ${digest}: ${out}` };
}

function verifiedOrFault(text: string, log: ReadonlySet<string> | undefined): VerifiedReport | KmcError {
  try {
    return verifyBreakGlassReport(text, log);
  } catch (error) {
    if (error instanceof KmcError) return error;
    throw error;
  }
}

function verify(input: CommandInput): Promise<Outcome> {
  const text = readNamedFile(input.positionals[0] ?? '', 'report').toString('utf8');
  const folder = input.text('audit');
  const log =
    folder === undefined ? undefined : new Set(readFileSync(join(folder, AUDIT_FILES.events), 'utf8').split('\n'));
  const verified = verifiedOrFault(text, log);
  if (verified instanceof KmcError) {
    const { code, message } = verified;
    const json = { ok: false, code, message };
    return Promise.resolve({ exitCode: EXIT.verificationFailed, json, text: `does not hold: ${code}: ${message}` });
  }
  const { digest, acts, effects, report: found } = verified;
  const accounts = found.statements.map(({ body }) => `${body.account} (bag ${body.bag})`);
  const warning = log === undefined ? ['warning: not compared with the log; give a verified copy with --audit'] : [];
  return Promise.resolve({
    json: { ok: true, session: found.session, digest, acts, effects: effects.length, inLog: log !== undefined },
    text: [
      `holds: ${found.session}, ${found.openedAt} to ${found.endedAt}, by ${accounts.join(' and ')}`,
      `reason: ${shownText(found.reason)}`,
      digest,
      table(
        ['AT', 'ACCOUNT', 'OPERATION', 'TARGET'],
        acts.map(({ at, account, operation, target }) => [at, account, operation, target]),
      ),
      `${effects.length} effects`,
      ...warning,
    ].join('\n'),
  });
}

function review(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const text = readNamedFile(input.positionals[0] ?? '', 'report').toString('utf8');
  const { report: found, digest } = verifyBreakGlassReport(text);
  const body = { report: digest, findings: input.required('findings') };
  return call(context, `${PATH}/${found.session}/reviews`, body, `reviewed: ${found.session} ${digest}`);
}

const noun = 'break-glass';
const KEY = '--key me.key.pem --cert me.crt.pem';

/** What a sealed account does while its session lasts. */
const ACTS: readonly Command[] = [
  {
    noun,
    verb: 'suspend',
    summary: 'Suspends a person at once, with the key of a sealed account.',
    example: 'kmc break-glass suspend p-owner-1 --reason "key stolen" --key bag-1/key.pem --cert bag-1/crt.pem',
    positionals: ['PERSON'],
    options: { reason: REASON },
    run(input, context) {
      const id = input.positionals[0] ?? '';
      const path = `/api/v1/people/${encodeURIComponent(id)}/suspension`;
      return call(context, path, { reason: input.required('reason') }, `suspended: ${id}`);
    },
  },
  {
    noun,
    verb: 'revoke',
    summary: 'Revokes a certificate and the other half of its pair, or puts them on hold.',
    example: 'kmc break-glass revoke cert-01j... --cause keyCompromise --key bag-1/key.pem --cert bag-1/crt.pem',
    positionals: ['ID'],
    options: {
      cause: { type: 'string', value: 'WORD', required: true, help: 'reason of RFC 5280, e.g. certificateHold' },
    },
    run(input, context) {
      const id = input.positionals[0] ?? '';
      const path = `/api/v1/certificates/${encodeURIComponent(id)}/revocations`;
      return call(context, path, { reason: input.required('cause') }, `revoked: ${id}`);
    },
  },
  {
    noun,
    verb: 'pause',
    summary: 'Pauses the issuing of certificates. The act issuance.resume ends it.',
    example: 'kmc break-glass pause --reason "forged registrations" --key bag-1/key.pem --cert bag-1/crt.pem',
    options: { reason: REASON },
    run: (input, context) =>
      call(context, '/api/v1/issuance/pause', { reason: input.required('reason') }, 'issuance is paused'),
  },
  {
    noun,
    verb: 'end',
    summary: 'Ends the session before its time: a sealed account of it, or a security administrator.',
    example: 'kmc break-glass end --key bag-1/key.pem --cert bag-1/crt.pem',
    run: (_input, context) => call(context, `${PATH}/end`, {}, 'ended'),
  },
];

export const commands: readonly Command[] = [
  {
    noun,
    verb: 'seal',
    summary: 'Proposes to seal an account: sealed-1, sealed-2 or sealed-3, its key in a numbered bag.',
    example: `kmc break-glass seal sealed-1 bag-1 --bag A-0017 --reason "first sealing" ${KEY}`,
    positionals: ['ACCOUNT', 'DIR'],
    options: { bag: BAG, reason: REASON },
    run: seal,
  },
  {
    noun,
    verb: 'sign',
    summary:
      'States, offline, with the key out of a bag, that the glass is to be broken; --with joins another statement.',
    example:
      'kmc break-glass sign sealed-1 --bag A-0017 --instance production/kmc-1 --reason "..." --out one.json --key bag-1/key.pem --cert bag-1/crt.pem',
    positionals: ['ACCOUNT'],
    options: {
      bag: BAG,
      instance: { type: 'string', value: 'NAME', help: 'environment/instance; of the first statement' },
      reason: { ...REASON, required: false, help: 'why; of the first statement' },
      with: { type: 'string', value: 'FILE', help: 'the first statement, which this one joins' },
      out: { type: 'string', value: 'FILE', required: true, help: 'new file for the statement' },
    },
    run: sign,
  },
  {
    noun,
    verb: 'open',
    summary: 'Breaks the glass with the statements of two sealed accounts: four hours in which these may stop things.',
    example: 'kmc break-glass open --statement one.json --statement two.json',
    options: {
      statement: {
        type: 'string',
        value: 'FILE',
        required: true,
        multiple: true,
        help: 'a statement of kmc break-glass sign',
      },
    },
    run: open,
  },
  ...ACTS,
  {
    noun,
    verb: 'status',
    summary: 'Shows the sealed accounts and every session.',
    example: `kmc break-glass status ${KEY}`,
    run: status,
  },
  {
    noun,
    verb: 'report',
    summary: 'Writes the report of a session that has ended, after it was verified here.',
    example: `kmc break-glass report bg-01j... --out report.json ${KEY}`,
    positionals: ['SESSION'],
    options: { out: { type: 'string', value: 'FILE', required: true, help: 'new file for the report' } },
    run: report,
  },
  {
    noun,
    verb: 'verify',
    summary: 'Proves a report offline, and with --audit that the log holds it. Exit 4 when it does not hold.',
    example: 'kmc break-glass verify report.json --audit audit-copy',
    positionals: ['FILE'],
    options: { audit: { type: 'string', value: 'DIR', help: 'copy of the log that kmc audit verify has verified' } },
    run: verify,
  },
  {
    noun,
    verb: 'review',
    summary: 'Records, as an auditor, that you have reviewed a report; two auditors must within 72 hours.',
    example: `kmc break-glass review report.json --findings "as needed" ${KEY}`,
    positionals: ['FILE'],
    options: { findings: { ...REASON, help: 'what the review found; stands in the audit log' } },
    run: review,
  },
];
