/** The people of a development instance, read from the template of its first ceremony: nobody else is on the stage. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { NewPerson } from '../../cli/admin.ts';
import { readStrictYaml } from '../../config/strict-yaml.ts';
import { isObject } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { prepareCeremony } from '../../flows/ceremonies/prepare-ceremony.ts';
import { sm3Fingerprint } from '../../x509/certificate.ts';

export interface CastMember extends NewPerson {
  /** Name of the person's folder, and of the person in templates. */
  readonly folder: string;
}

const TEMPLATE = fileURLToPath(new URL('../../../scripts/ceremonies/kmc-init.template.yaml', import.meta.url));

/** The template with a stand-in for each certificate: its fingerprint leads back to the name in the template. */
function filledTemplate(): { readonly people: unknown; readonly folders: ReadonlyMap<string, string> } {
  const folders = new Map<string, string>();
  const standIn = (name: string): Buffer => {
    const bytes = Buffer.from(name, 'utf8');
    folders.set(sm3Fingerprint(bytes), name);
    return bytes;
  };
  const text = prepareCeremony(readFileSync(TEMPLATE, 'utf8'), {
    certificateOf: standIn,
    inputs: { read: (name) => Buffer.from(name, 'utf8') },
    previous: 'none',
    now: new Date(0),
    values: new Map(),
  });
  const value = readStrictYaml(Buffer.from(text, 'utf8')).document?.value;
  return { people: isObject(value) ? value['people'] : undefined, folders };
}

function memberOf(value: unknown, folders: ReadonlyMap<string, string>): CastMember {
  const text = (name: string): string => {
    const member = isObject(value) ? value[name] : undefined;
    if (typeof member !== 'string') throw new KmcError('E_CONFIG', `A person of the template lacks ${name}.`);
    return member;
  };
  const folder = folders.get(text('certificate'));
  if (folder === undefined) throw new KmcError('E_CONFIG', 'A person of the template has no place for a certificate.');
  const region = isObject(value) ? value['region'] : undefined;
  return {
    folder,
    id: text('id'),
    name: text('name'),
    unit: text('unit'),
    organisation: text('organisation'),
    ...(typeof region === 'string' ? { region } : {}),
  };
}

/** Everybody in the template of `kmc-init`. @throws KmcError E_CONFIG when it does not read. */
export function developmentCast(): CastMember[] {
  const { people, folders } = filledTemplate();
  if (!Array.isArray(people)) throw new KmcError('E_CONFIG', 'The template of the first ceremony has no people.');
  return people.map((person: unknown) => memberOf(person, folders));
}
