/** `kmc request`: acts that need approvals, proposed and executed through the service. */
import { parseStrictJson } from '../crypto/jcs.ts';
import { listOutcome, REQUEST_COLUMNS } from './answer-table.ts';
import type { Command } from './command.ts';
import { readNamedFile } from './named-file.ts';
import { propose } from './propose.ts';

const ID_ARGUMENT = ['ID'];

export const commands: readonly Command[] = [
  {
    noun: 'request',
    verb: 'create',
    summary: 'Proposes an act that needs approvals.',
    example:
      'kmc request create --op authority.create-issuing --target sm2-issuing --params params.json --reason "..."',
    options: {
      op: { type: 'string', value: 'ACT', required: true, help: 'an act of the action table, e.g. person.grant-role' },
      target: { type: 'string', value: 'ID', required: true, help: 'what it is done to' },
      params: { type: 'string', value: 'FILE', required: true, help: 'JSON object with the parameters' },
      reason: { type: 'string', value: 'TEXT', required: true, help: 'why; stands in the request' },
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
      const answer = await client.json(
        'GET',
        `/api/v1/requests${state === undefined ? '' : `?state=${encodeURIComponent(state)}`}`,
      );
      return listOutcome(answer, REQUEST_COLUMNS);
    },
  },
  {
    noun: 'request',
    verb: 'withdraw',
    summary: 'Withdraws an own request before it is executed.',
    example: 'kmc request withdraw rq-01j...',
    positionals: ID_ARGUMENT,
    async run(input, context) {
      const client = await context.client();
      const answer = await client.json('POST', `/api/v1/requests/${input.positionals[0]}/withdrawal`, {});
      return { json: answer, text: `withdrawn: ${input.positionals[0]}` };
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
      const answer = await client.json('POST', `/api/v1/requests/${input.positionals[0]}/executions`, {});
      return { json: answer, text: JSON.stringify(answer, null, 2) };
    },
  },
];
