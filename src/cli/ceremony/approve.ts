import { digestWords } from '../../domain/digest-words.ts';
import { approveCeremony } from '../../flows/ceremonies/approve-ceremony.ts';
import type { Command } from '../command.ts';
import {
  ceremonyFolder,
  INPUTS_OPTION,
  inputsBeside,
  makePlan,
  PARTICIPANT_OPTION,
  participantsOf,
  PREVIOUS_OPTION,
  readCeremony,
} from './ceremony-input.ts';

export const approveCommand: Command = {
  noun: 'ceremony',
  verb: 'approve',
  summary: 'Lets custodians sign the plan hash; the first approval puts file and plan into the folder of the ceremony.',
  example:
    'kmc ceremony approve sm2-root.yaml --previous ceremonies/kmc-init --dir ceremonies/sm2-root --participant custodian-1=people/c1',
  positionals: ['FILE'],
  options: {
    inputs: INPUTS_OPTION,
    previous: PREVIOUS_OPTION,
    participant: PARTICIPANT_OPTION,
    dir: { type: 'string', value: 'DIR', help: 'folder of the ceremony (default: ceremonies/<id> in the home folder)' },
  },
  async run(input, context) {
    const [path = ''] = input.positionals;
    const read = readCeremony(context, path);
    const planned = makePlan(context, input, read, inputsBeside(path));
    const { engine } = context;
    const dir = ceremonyFolder(context, input, read.file);
    const ports = { engine, clock: { now: () => new Date() }, folder: context.ceremonySite().folder(dir) };
    const people = await participantsOf(context, input, engine);
    const approvals = await approveCeremony(ports, planned, read.bytes, people);
    const { k } = read.file.quorum;
    return {
      json: { planHash: planned.hash, words: digestWords(planned.hash), approvals, needed: k, dir },
      text: `${approvals} of ${k} approvals over ${planned.hash}\n${digestWords(planned.hash).join(' ')}\nin ${dir}`,
    };
  },
};
