import { importCeremony, type ImportedCeremony } from '../../flows/ceremonies/import-ceremony.ts';
import { unsealForCommand } from '../unseal-here.ts';
import type { Command } from '../command.ts';
import { PARTICIPANT_OPTION } from './ceremony-input.ts';

export const importCommand: Command = {
  noun: 'ceremony',
  verb: 'import',
  summary: 'Takes a closed bundle into the service: verifies it, and puts what it made into service.',
  example: 'kmc ceremony import ceremonies/sm2-root --participant custodian-1=people/c1 ...',
  positionals: ['DIR'],
  options: {
    participant: PARTICIPANT_OPTION,
    'allow-deviations': { type: 'boolean', help: 'takes a ceremony with deviations too' },
  },
  async run(input, context) {
    const [dir = ''] = input.positionals;
    const instance = await context.openInstance();
    await unsealForCommand(context, instance, input.list('participant'));
    const folder = context.ceremonySite().folder(dir);
    const imported = await importCeremony(
      { ...instance, folder },
      { type: 'system', id: 'kmc' },
      { allowDeviations: input.flag('allow-deviations') },
    );
    return { json: imported, text: textOf(imported) };
  },
};

function textOf({ ceremony, type, digest, authorities, doneWhenHeld }: ImportedCeremony): string {
  return [
    `imported ${ceremony} (${type}): the bundle verifies and stands in the audit log`,
    `bundle ${digest}`,
    ...(authorities.length === 0 ? [] : [`authorities put into service: ${authorities.join(', ')}`]),
    ...(doneWhenHeld.length === 0 ? [] : ['done in the service when the ceremony was held:']),
    ...doneWhenHeld.map((step) => `  ${step}`),
  ].join('\n');
}
