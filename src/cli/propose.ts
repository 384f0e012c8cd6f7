/** Proposing an act that needs approvals, whatever command the parameters come from. */
import { isObject } from '../domain/signed-body.ts';
import { answerText } from './answer-table.ts';
import type { CommandContext, OptionSpec, Outcome } from './command.ts';

/** `--reason` of every command that proposes. */
export const REASON: OptionSpec = { type: 'string', value: 'TEXT', required: true, help: 'why; stands in the request' };

export interface Proposal {
  readonly op: string;
  readonly targetId: string;
  readonly params: unknown;
  readonly reason: string;
  readonly expiresAt?: string;
}

function words(value: unknown): string {
  const list = isObject(value) ? value['words'] : undefined;
  return Array.isArray(list) ? list.join(' ') : '';
}

/** Opens the request at the service and shows its id, digest and words. @throws KmcError as the service answers. */
export async function propose(context: Pick<CommandContext, 'client'>, proposal: Proposal): Promise<Outcome> {
  const client = await context.client();
  const answer = await client.json('POST', '/api/v1/requests', proposal);
  return {
    json: answer,
    text: [answerText(answer, 'id'), answerText(answer, 'digest'), words(answer)].join('\n'),
  };
}
