import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { personInputName } from '../../domain/ceremony/people.ts';
import { prepareCeremony } from '../../flows/ceremonies/prepare-ceremony.ts';
import { requireVerifiedCeremony } from '../../flows/ceremonies/verify-ceremony.ts';
import { subjectPerson } from '../../domain/person-name.ts';
import { parseCertificate } from '../../x509/certificate.ts';
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
    if (file.people.length > 0) bringCertificates(input.required('people'), inputsFolder(input));
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
    previous: previous === undefined ? 'none' : requireVerifiedCeremony(site.folder(previous)).digest,
    now: new Date(),
    values: new Map(input.list('set').map(namedValue)),
  };
}

/** Puts the certificates that people bring among the inputs, under the names that a plan looks for. */
function bringCertificates(people: string, inputs: string): void {
  mkdirSync(inputs, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(people)) {
    if (!existsSync(join(people, name, PERSON_FILES.certificate))) continue;
    const certificate = certificateIn(join(people, name));
    const person = subjectPerson(parseCertificate(certificate).subject);
    const target = person === undefined ? undefined : join(inputs, personInputName(person));
    if (target !== undefined && !existsSync(target)) writeNewFile(target, certificate);
  }
}
