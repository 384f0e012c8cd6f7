/**
 * The file of a rehearsal (C6): the real one with throw-away people, inputs and keys in the place of the real ones, in
 * which everything that is signed bears a mark that no service takes in.
 */
import { nameValues, type Name } from '../../x509/name.ts';
import { isObject, signedTime } from '../signed-body.ts';
import type { CeremonyFile, CeremonyStep, Digest } from './ceremony-file.ts';

export const REHEARSAL_MARK = 'REHEARSAL';
const MAX_TEXT = 64;
const WINDOW_MS = 3_600_000;

/** Steps that would need a real private key: they are planned and checked, and not done. */
const NOT_REHEARSED: readonly string[] = ['import-legacy-root', 'import-legacy-issuing'];

/** True for the name of something that a rehearsal signed. */
export function isRehearsed(name: Name): boolean {
  return nameValues(name, 'OU').some((unit) => unit.startsWith(REHEARSAL_MARK));
}

/** A unit with the mark. */
export function markedUnit(unit: string): string {
  return `${REHEARSAL_MARK} ${unit}`.slice(0, MAX_TEXT).trimEnd();
}

export interface StandIns {
  /** The throw-away certificate for each real one, by fingerprint. */
  readonly certificates: ReadonlyMap<Digest, Digest>;
  /** Digests of the inputs that stand in, by name; the others are the real ones. */
  readonly inputs: ReadonlyMap<string, Digest>;
}

/** The file that is rehearsed. */
export function rehearsalFile(file: CeremonyFile, { certificates, inputs }: StandIns, now: Date): CeremonyFile {
  const standIn = (certificate: Digest): Digest => certificates.get(certificate) ?? certificate;
  const { software: _real, quorum, ...rest } = file;
  const steps = rehearsedSteps(file).map(markedStep);
  return {
    ...rest,
    id: `rehearsal-${file.id}`.slice(0, MAX_TEXT),
    environment: 'development',
    window: { from: signedTime(new Date(now.getTime() - 60_000)), to: signedTime(new Date(now.getTime() + WINDOW_MS)) },
    quorum: {
      k: quorum.k,
      holders: quorum.holders.map(standIn),
      witness: quorum.witness.map(standIn),
      auditor: standIn(quorum.auditor),
      lead: standIn(quorum.lead),
      ...(quorum.recipients === undefined
        ? {}
        : { recipients: { k: quorum.recipients.k, holders: quorum.recipients.holders.map(standIn) } }),
    },
    people: file.people.map((person) => ({
      ...person,
      unit: markedUnit(person.unit),
      certificate: standIn(person.certificate),
    })),
    inputs: file.inputs
      .filter((input) => !input.secret)
      .map((input) => ({ ...input, sm3: inputs.get(input.name) ?? input.sm3 })),
    steps,
  };
}

/** The steps that a rehearsal does. */
export function rehearsedSteps({ steps }: Pick<CeremonyFile, 'steps'>): CeremonyStep[] {
  return steps.filter((step) => !NOT_REHEARSED.includes(step.do));
}

function markedStep(step: CeremonyStep): CeremonyStep {
  const subject = step.members['subject'];
  if (!isObject(subject)) return step;
  return { ...step, members: { ...step.members, subject: { ...subject, ou: REHEARSAL_MARK } } };
}

/** The octets of a rehearsed file: YAML in its JSON form. */
export function encodeRehearsalFile(file: CeremonyFile): Buffer {
  const { skipLints, steps, ...rest } = file;
  const yaml = {
    ...rest,
    steps: steps.map(({ id, do: kind, members }) => ({ id, do: kind, ...members })),
    'skip-lints': skipLints,
  };
  return Buffer.from(`${JSON.stringify(yaml, undefined, 1)}\n`, 'utf8');
}
