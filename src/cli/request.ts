/** `kmc request`: acts that need approvals, proposed and executed through the service. */
import { parseStrictJson } from '../crypto/jcs.ts';
import { errorOfAnswer } from '../agent/signed-client.ts';
import { actionRule, approversOf } from '../domain/action.ts';
import { readApprovalFile } from '../domain/approval/file.ts';
import { requestDigest, type ApprovalRequest } from '../domain/approval/request.ts';
import { isObject } from '../domain/signed-body.ts';
import { HANDLED_ACTS } from '../flows/action-handlers.ts';
import { answerText, everyItem, listOutcome, REQUEST_COLUMNS } from './answer-table.ts';
import { table, type Command, type CommandContext, type CommandInput, type Outcome } from './command.ts';
import { readNamedFile, writeNewFile } from './named-file.ts';
import { propose, REASON } from './propose.ts';
import { canonicalRequest, requestForPeople, requestOfService, requestPath } from './shown-request.ts';

const ID_ARGUMENT = ['ID'];

const NAMES = Math.max(...HANDLED_ACTS.map(({ name }) => name.length));
const TARGETS = Math.max(...HANDLED_ACTS.map(({ name }) => actionRule(name).target.length));
/** Of each act: what it is done to, and what the JSON object of --params holds. All values are text. */
const ACTS = [
  'Acts, what they are done to, and the members of --params (every value is text; ? marks an optional one):',
  ...HANDLED_ACTS.map(
    ({ name, params }) => `  ${name.padEnd(NAMES)} ${actionRule(name).target.padEnd(TARGETS)} ${params}`,
  ),
];

/** What an open request still waits for, and the roles that may approve it; nothing of one that is past that. */
function stillMissing(request: ApprovalRequest, answer: unknown): string[] {
  if (!isObject(answer) || answer['state'] !== 'OPEN') return [];
  const evaluation = answer['evaluation'];
  const refusals = isObject(evaluation) && Array.isArray(evaluation['refusals']) ? evaluation['refusals'] : [];
  const details = refusals.map((refusal) => `  ${answerText(refusal, 'detail')}`);
  return [
    ['still waits:', ...details, `who may approve: ${approversOf(actionRule(request.op)).join(', ')}`].join('\n'),
  ];
}

function idOf(input: CommandInput): string {
  return input.positionals[0] ?? '';
}

async function show(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const { answer, request } = await requestOfService(await context.client(), idOf(input));
  const out = input.text('out');
  if (out !== undefined) writeNewFile(out, canonicalRequest(request));
  const decisions = isObject(answer) && Array.isArray(answer['decisions']) ? answer['decisions'] : [];
  const columns = ['person', 'role', 'decision', 'decidedAt'];
  const rows = decisions.map((decision) => columns.map((name) => answerText(decision, name)));
  const parts = [
    requestForPeople(request),
    `state    ${answerText(answer, 'state')}`,
    ...stillMissing(request, answer),
    ...(rows.length === 0 ? [] : [table(['PERSON', 'ROLE', 'DECISION', 'AT'], rows)]),
    ...(out === undefined
      ? []
      : [`request written to ${out}: kmc approval sign ${out} --role ... --out decision.json`]),
  ];
  return { json: answer, text: parts.join('\n\n') };
}

async function file(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const id = idOf(input);
  const out = input.required('out');
  const answer = await (await context.client()).send('GET', requestPath(id, '/file'));
  if (answer.status !== 200) throw errorOfAnswer(answer);
  const { request, approvals } = readApprovalFile(answer.body.toString('utf8'));
  writeNewFile(out, answer.body);
  return {
    json: { id, digest: requestDigest(request), approvals: approvals.length, file: out },
    text: `approval file of ${request.id} with ${approvals.length} approvals: ${out}`,
  };
}

export const commands: readonly Command[] = [
  {
    noun: 'request',
    verb: 'create',
    summary: 'Proposes an act that needs approvals. The end of this help lists the acts and their parameters.',
    details: ACTS,
    example:
      'kmc request create --op authority.create-issuing --target sm2-issuing --params params.json --reason "..."',
    options: {
      op: { type: 'string', value: 'ACT', required: true, help: 'an act of the list below, e.g. person.grant-role' },
      target: { type: 'string', value: 'ID', required: true, help: 'what it is done to' },
      params: { type: 'string', value: 'FILE', required: true, help: 'JSON object with the parameters' },
      reason: REASON,
      'expires-at': { type: 'string', value: 'TIME', help: 'end of the case or ceremony, where the class asks for it' },
    },
    async run(input, context) {
      const params = parseStrictJson(readNamedFile(input.required('params'), 'parameter file'));
      const expiresAt = input.text('expires-at');
      return await propose(context, {
        op: input.required('op'),
        targetId: input.required('target'),
        params,
        reason: input.required('reason'),
        ...(expiresAt === undefined ? {} : { expiresAt }),
      });
    },
  },
  {
    noun: 'request',
    verb: 'list',
    summary: 'Lists requests.',
    example: 'kmc request list --state OPEN',
    options: { state: { type: 'string', value: 'STATE', help: 'only requests in that state' } },
    async run(input, context) {
      const client = await context.client();
      const state = input.text('state');
      const query = state === undefined ? {} : { state };
      return listOutcome(await everyItem(client, '/api/v1/requests', query), REQUEST_COLUMNS);
    },
  },
  {
    noun: 'request',
    verb: 'show',
    summary:
      'Shows what is asked, with digest and words, and how it stands; --out writes what `kmc approval sign` takes.',
    example: 'kmc request show rq-01j... --out request.json --key me.key.pem --cert me.crt.pem',
    positionals: ID_ARGUMENT,
    options: { out: { type: 'string', value: 'FILE', help: 'new file for the canonical JSON of the request' } },
    run: show,
  },
  {
    noun: 'request',
    verb: 'file',
    summary: 'Writes the approval file: request, approvals and certificates, for `kmc approval verify`.',
    example: 'kmc request file rq-01j... --out approvals.json --key me.key.pem --cert me.crt.pem',
    positionals: ID_ARGUMENT,
    options: { out: { type: 'string', value: 'FILE', required: true, help: 'new file for the approval file' } },
    run: file,
  },
  {
    noun: 'request',
    verb: 'withdraw',
    summary: 'Withdraws an own request before it is executed.',
    example: 'kmc request withdraw rq-01j...',
    positionals: ID_ARGUMENT,
    async run(input, context) {
      const client = await context.client();
      const answer = await client.json('POST', requestPath(idOf(input), '/withdrawal'), {});
      return { json: answer, text: `withdrawn: ${idOf(input)}` };
    },
  },
  {
    noun: 'request',
    verb: 'execute',
    summary: 'Does what was approved. Exit 3 while approvals or the cool-down are missing.',
    example: 'kmc request execute rq-01j...',
    positionals: ID_ARGUMENT,
    async run(input, context) {
      const client = await context.client();
      const answer = await client.json('POST', requestPath(idOf(input), '/executions'), {});
      return { json: answer, text: JSON.stringify(answer, null, 2) };
    },
  },
];
