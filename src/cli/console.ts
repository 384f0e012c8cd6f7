/** `kmc console`: a browser reads with the rights of a person whose key approved it. */
import { answerText } from './answer-table.ts';
import type { Command } from './command.ts';

/** The commands of `kmc console`. */
export const commands: readonly Command[] = [
  {
    noun: 'console',
    verb: 'sign-in',
    summary: 'Approves the challenge that the console shows in a browser, and prints the code to be typed there.',
    details: [
      'The session reads for half an hour, with the roles of the person whose --key signs; nothing can be changed in it.',
      'Approve a challenge only that you see in your own browser, and give the code to nobody.',
    ],
    example:
      'kmc console sign-in 7k3qz-0m4xd --url https://kmc.example.org:8443 --key auditor.key.pem --cert auditor.crt.pem',
    positionals: ['CHALLENGE'],
    async run(input, context) {
      const [challenge = ''] = input.positionals;
      const answer = await (await context.client()).json('POST', '/api/v1/console/approvals', { challenge });
      return { json: answer, text: `code for the console: ${answerText(answer, 'code')}` };
    },
  },
];
