import { rehearseCeremony } from '../../flows/ceremonies/rehearse-ceremony.ts';
import type { Command } from '../command.ts';
import { INPUTS_OPTION, inputsBeside, inputsIn, readCeremony } from './ceremony-input.ts';

export const rehearseCommand: Command = {
  noun: 'ceremony',
  verb: 'rehearse',
  summary: 'Holds the whole ceremony with throw-away people and keys, in a temporary folder that it removes.',
  example: 'kmc ceremony rehearse kmc-init.yaml --inputs inputs',
  details: [
    'Every name that a rehearsal signs bears the mark REHEARSAL; the service takes nothing in that does.',
    'Steps that need a private key from outside are checked and not done.',
  ],
  positionals: ['FILE'],
  options: { inputs: INPUTS_OPTION },
  async run(input, context) {
    const [path = ''] = input.positionals;
    const { file } = readCeremony(context, path);
    const begunAt = performance.now();
    const place = await context.rehearsal();
    try {
      const { bundle, notDone } = await rehearseCeremony(place, {
        file,
        inputs: inputsIn(context, input.text('inputs') ?? inputsBeside(path)),
        progress: (done, total, text) => context.progress(text, done, total),
      });
      const seconds = Math.round((performance.now() - begunAt) / 100) / 10;
      const steps = bundle.plan.steps.length;
      const left = notDone.length === 0 ? '' : `; not done, because they need a real key: ${notDone.join(', ')}`;
      return {
        json: { ok: true, ceremony: file.id, type: file.type, steps, notDone, seconds },
        text: `rehearsed ${file.id} (${file.type}): ${steps} steps in ${seconds} s, the bundle verifies${left}`,
      };
    } finally {
      await place.remove();
    }
  },
};
