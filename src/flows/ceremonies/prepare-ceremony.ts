/**
 * Makes a ceremony file from a template: `${name:argument}` becomes a digest, a time or a count. The result is a plain
 * file, which people read, lint and approve; the strict reader knows nothing of templates.
 */
import { createDigests } from '../../crypto/digests.ts';
import { parseInventory, type InventoryLine } from '../../domain/legacy-inventory.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { KmcError } from '../../errors.ts';
import { sm3Fingerprint } from '../../x509/certificate.ts';
import type { CeremonyInputs } from '../ports/ceremony-folder.ts';

export interface TemplateFacts {
  /** The certificate (DER) of a person, by the name of the person's folder. */
  readonly certificateOf: (name: string) => Buffer;
  readonly inputs: CeremonyInputs;
  /** `sm3:<hex>` of the last closed bundle, or `none`. */
  readonly previous: string;
  readonly now: Date;
  /** Values given by hand. */
  readonly values: ReadonlyMap<string, string>;
}

const PLACE = /\$\{([a-z-]+)(?::([A-Za-z0-9._-]+))?\}/g;
const VALUE = /^[A-Za-z0-9 ._:/-]{1,128}$/;
/** The window of a prepared file: it begins a little earlier, for clocks that differ. */
const LEAD_MS = 60_000;
const WINDOW_MS = 8 * 3_600_000;
const CRL_MS = 365 * 86_400_000;

type Fill = (facts: TemplateFacts, argument: string) => string;

const FILLS: Readonly<Record<string, Fill>> = {
  person: (facts, name) => sm3Fingerprint(facts.certificateOf(name)),
  input: (facts, name) => createDigests(facts.inputs.read(name)).sm3,
  previous: (facts) => facts.previous,
  from: ({ now }) => signedTime(new Date(now.getTime() - LEAD_MS)),
  to: ({ now }) => signedTime(new Date(now.getTime() + WINDOW_MS)),
  'next-update': ({ now }) => signedTime(new Date(now.getTime() + CRL_MS)),
  valid: (facts, name) => String(linesOf(facts, name).filter((line) => line.revoked === undefined).length),
  revoked: (facts, name) => String(linesOf(facts, name).filter((line) => line.revoked !== undefined).length),
  'first-serial': (facts, name) => linesOf(facts, name)[0]?.serialNumber ?? '',
  'last-serial': (facts, name) => linesOf(facts, name).at(-1)?.serialNumber ?? '',
  value: ({ values }, name) => valueOf(values, name),
};

/**
 * Fills a template.
 * @throws KmcError E_USAGE for a placeholder that is not known or has no value; E_NOT_FOUND for a person or an input.
 */
export function prepareCeremony(template: string, facts: TemplateFacts): string {
  return template.replaceAll(PLACE, (place, name: string, argument: string | undefined) => {
    const fill = Object.hasOwn(FILLS, name) ? FILLS[name] : undefined;
    if (fill === undefined) throw new KmcError('E_USAGE', `The template holds ${place}, which is not known.`);
    return fill(facts, argument ?? '');
  });
}

function linesOf({ inputs }: TemplateFacts, name: string): InventoryLine[] {
  return parseInventory(inputs.read(name).toString('utf8'));
}

function valueOf(values: ReadonlyMap<string, string>, name: string): string {
  const value = values.get(name);
  if (value !== undefined && VALUE.test(value)) return value;
  throw new KmcError('E_USAGE', `The template asks for ${name}: give --set ${name}=VALUE of plain characters.`);
}
