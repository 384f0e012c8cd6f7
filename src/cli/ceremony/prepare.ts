import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { personInputName } from '../../domain/ceremony/people.ts';
import { prepareCeremony } from '../../flows/ceremonies/prepare-ceremony.ts';
import { requireVerifiedCeremony } from '../../flows/ceremonies/verify-ceremony.ts';
import type { CeremonyFile } from '../../domain/ceremony/ceremony-file.ts';
import { sm3Fingerprint } from '../../x509/certificate.ts';
import type { Command, CommandContext, CommandInput } from '../command.ts';
import { readNamedFile, writeNewFile } from '../named-file.ts';
import { certificateIn, PERSON_FILES } from '../participants.ts';
import { namedValue, PREVIOUS_OPTION, readCeremony } from './ceremony-input.ts';

export const prepareCommand: Command = {
  noun: 'ceremony',
  verb: 'prepare',
  summary: 'Makes a ceremony file from a template: fills in fingerprints, digests, counts and times, and lints it.',
  example:
    'kmc ceremony prepare --template scripts/ceremonies/ca-root.template.yaml --people people --previous ceremonies/kmc-init --out sm2-root.yaml',
  options: {
    template: { type: 'string', required: true, value: 'FILE', help: 'template, as in scripts/ceremonies' },
    people: { type: 'string', required: true, value: 'DIR', help: 'folder that holds a folder for each person' },
    inputs: { type: 'string', value: 'DIR', help: 'folder of the inputs; certificates of first people are put there' },
    previous: PREVIOUS_OPTION,
    set: { type: 'string', multiple: true, value: 'NAME=VALUE', help: 'value of ${value:NAME} in the template' },
    out: { type: 'string', required: true, value: 'FILE', help: 'the ceremony file to be made' },
  },
  async run(input, context) {
    const out = input.required('out');
    const text = prepareCeremony(templateOf(input), templateFacts(context, input));
    writeNewFile(out, text);
    const { file } = readCeremony(context, out);
    bringCertificates(file, input.required('people'), inputsFolder(input));
    return {
      json: { file: out, id: file.id, type: file.type },
      text: `${out}: ${file.type} ${file.id}, no fault found`,
    };
  },
};

function templateOf(input: CommandInput): string {
  return readNamedFile(input.required('template'), 'template').toString('utf8');
}

function inputsFolder(input: CommandInput): string {
  return input.text('inputs') ?? 'inputs';
}

function templateFacts(context: CommandContext, input: CommandInput) {
  const site = context.ceremonySite();
  const previous = input.text('previous');
  return {
    certificateOf: (name: string) => certificateIn(join(input.required('people'), name)),
    inputs: site.inputs(inputsFolder(input)),
    previous:
      previous === undefined
        ? 'none'
        : requireVerifiedCeremony(site.folder(previous), { allowDeviations: true }).digest,
    now: new Date(),
    values: new Map(input.list('set').map(namedValue)),
  };
}

/** Puts the certificates that the file asks for among the inputs: of the first people, and of recipients of shares. */
function bringCertificates({ people, inputs }: CeremonyFile, folder: string, target: string): void {
  const asked = [
    ...people.map((person) => ({ name: personInputName(person), sm3: person.certificate })),
    ...inputs.map(({ name, sm3 }) => ({ name, sm3 })),
  ];
  if (asked.length === 0) return;
  mkdirSync(target, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(folder)) {
    if (!existsSync(join(folder, name, PERSON_FILES.certificate))) continue;
    const certificate = certificateIn(join(folder, name));
    const own = asked.filter((one) => one.sm3 === sm3Fingerprint(certificate));
    for (const file of own.map((one) => join(target, one.name))) {
      if (!existsSync(file)) writeNewFile(file, certificate);
    }
  }
}
