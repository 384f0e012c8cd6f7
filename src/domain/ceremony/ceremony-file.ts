/**
 * The ceremony file (security-and-faults 1.2, C1, C2): everything that matters about a ceremony stands in it before the
 * ceremony begins. What people approve is the plan made from it.
 */
import type { PersonSpec } from './people.ts';
import type { SignedObject, SignedValue } from '../signed-body.ts';

/** A digest, `sm3:<hex>`. Certificates are named by it (SM3 of the DER), and so are inputs. */
export type Digest = string;

export interface CeremonyInputFile {
  /** Name in the folder of inputs. */
  readonly name: string;
  readonly sm3: Digest;
  /** Holds a private key: it is read, and never copied into the bundle. */
  readonly secret: boolean;
}

/** Who gets the new shares of a ceremony that makes a keystore over to others. */
export interface ShareRecipients {
  /** How many of them will be needed. */
  readonly k: number;
  /** Their certificates, which stand among the inputs. */
  readonly holders: readonly Digest[];
}

export interface CeremonyQuorum {
  /** How many of the holders are needed. */
  readonly k: number;
  /** Certificates of the custodians. */
  readonly holders: readonly Digest[];
  readonly witness: readonly Digest[];
  readonly auditor: Digest;
  /** Of the ca-owner or security-administrator who leads. */
  readonly lead: Digest;
  readonly recipients?: ShareRecipients;
}

/** One step: its id, its kind, and the members that the table of step kinds asks for. */
export interface CeremonyStep {
  readonly id: string;
  readonly do: string;
  readonly members: SignedObject;
}

export interface CeremonyFile {
  readonly ceremony: 'v1';
  /** A name of the table of ceremony types, once the file is linted. */
  readonly type: string;
  readonly id: string;
  readonly environment: 'production' | 'development';
  /** Clause of the certification practice statement. */
  readonly policy: string;
  /** Digest of the last closed bundle; `none` for the first ceremony. */
  readonly previous: string;
  readonly window: { readonly from: string; readonly to: string };
  /** What the tool must be; written by `plan --pin`. */
  readonly software?: Readonly<Partial<Record<'bundle' | 'node' | 'lock', Digest>>>;
  readonly quorum: CeremonyQuorum;
  readonly inputs: readonly CeremonyInputFile[];
  /** Of `kmc-init`: the first people. */
  readonly people: readonly PersonSpec[];
  readonly steps: readonly CeremonyStep[];
  readonly skipLints: readonly { readonly lint: string; readonly reason: string }[];
}

/** The file as it stands in the plan: no numbers, nothing that is absent, members of a step beside its id. */
export function ceremonyFileBody(file: CeremonyFile): SignedObject {
  const { quorum, software, skipLints, steps, people, inputs, ...rest } = file;
  return {
    ...rest,
    window: { ...file.window },
    quorum: quorumBody(quorum),
    ...(software === undefined ? {} : { software: textMembers(software) }),
    inputs: inputs.map((input) => ({ ...input })),
    people: people.map(({ region, roles, ...person }) => ({
      ...person,
      ...(region === undefined ? {} : { region }),
      roles: roles.map((grant) => textMembers(grant)),
    })),
    steps: steps.map(({ members, ...step }) => ({ ...step, ...members })),
    skipLints: skipLints.map((skip) => ({ ...skip })),
  };
}

function quorumBody({ k, recipients, ...quorum }: CeremonyQuorum): SignedObject {
  const own = { ...quorum, k: String(k) };
  return recipients === undefined ? own : { ...own, recipients: { ...recipients, k: String(recipients.k) } };
}

function textMembers(members: object): SignedObject {
  return Object.fromEntries(
    Object.entries(members).filter((entry): entry is [string, SignedValue] => typeof entry[1] === 'string'),
  );
}

/** The text member of a step. The lint has made sure that it is there; an optional one may be absent. */
export function stepText(step: CeremonyStep, name: string): string {
  const value = step.members[name];
  return typeof value === 'string' ? value : '';
}
