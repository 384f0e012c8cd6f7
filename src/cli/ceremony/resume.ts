import { resumeCeremony } from '../../flows/ceremonies/resume-ceremony.ts';
import type { Command } from '../command.ts';
import { conduct, CONDUCT_OPTIONS } from './conduct.ts';

export const resumeCommand: Command = {
  noun: 'ceremony',
  verb: 'resume',
  summary: 'Goes on with a ceremony that was interrupted, or whose last step failed: what is done is not done again.',
  example:
    'kmc ceremony resume ceremonies/sm2-root --previous ceremonies/kmc-init --inputs inputs --participant custodian-1=people/c1 ...',
  details: ['The same people attend as for run. The transcript tells that it was resumed, where, and by whom.'],
  positionals: ['DIR'],
  options: CONDUCT_OPTIONS,
  run: (input, context) => conduct(input, context, resumeCeremony),
};
