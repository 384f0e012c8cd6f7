import { join } from 'node:path';
import { DEVIATION_RULES } from '../../domain/ceremony/transcript.ts';
import { KmcError } from '../../errors.ts';
import { requireApprovedPlan } from '../../flows/ceremonies/approve-ceremony.ts';
import { deviateCeremony } from '../../flows/ceremonies/deviate-ceremony.ts';
import type { Command } from '../command.ts';
import { makePlan, participantsOf, readApproved } from './ceremony-input.ts';
import { ceremonyPorts, APPROVED_OPTIONS } from './conduct.ts';

export const deviateCommand: Command = {
  noun: 'ceremony',
  verb: 'deviate',
  summary: 'Writes down what is done otherwise than planned, with the initials of lead and witness.',
  example:
    'kmc ceremony deviate ceremonies/sm2-root --step s3 --text "the second camera failed" --participant owner-1=people/o1 --participant witness-1=people/w1',
  details: [
    'The bundle stays valid and is flagged: kmc ceremony verify accepts it with --allow-deviations only.',
    '--allow network lets a production ceremony run on a connected machine, --allow window after its window.',
  ],
  positionals: ['DIR'],
  options: {
    ...APPROVED_OPTIONS,
    step: { type: 'string', required: true, value: 'ID', help: 'the step that it belongs to' },
    text: { type: 'string', required: true, value: 'TEXT', help: 'what is done otherwise, and why' },
    allow: { type: 'string', value: 'RULE', help: `the rule that it lifts: ${DEVIATION_RULES.join(' or ')}` },
  },
  async run(input, context) {
    const [dir = ''] = input.positionals;
    const read = readApproved(context, dir);
    const ports = ceremonyPorts(context, dir, undefined);
    requireApprovedPlan(ports.folder, read.file);
    const asked = input.text('allow');
    const allows = DEVIATION_RULES.find((rule) => rule === asked);
    if (asked !== undefined && allows === undefined) {
      throw new KmcError('E_USAGE', `--allow takes ${DEVIATION_RULES.join(' or ')}.`);
    }
    const record = await deviateCeremony(ports, {
      planned: makePlan(context, input, read, join(dir, 'inputs')),
      participants: await participantsOf(context, input, context.engine),
      step: input.required('step'),
      text: input.required('text'),
      ...(allows === undefined ? {} : { allows }),
    });
    return { json: { ceremony: read.file.id, record }, text: `record ${record} tells of the deviation` };
  },
};
