import { runCeremony } from '../../flows/ceremonies/run-ceremony.ts';
import type { Command } from '../command.ts';
import { conduct, CONDUCT_OPTIONS } from './conduct.ts';

export const runCommandOfCeremony: Command = {
  noun: 'ceremony',
  verb: 'run',
  summary: 'Runs an approved ceremony: each step is written down, done, written down again and initialled.',
  example:
    'kmc ceremony run ceremonies/sm2-root --previous ceremonies/kmc-init --inputs inputs --participant custodian-1=people/c1 ...',
  positionals: ['DIR'],
  options: CONDUCT_OPTIONS,
  run: (input, context) => conduct(input, context, runCeremony),
};
