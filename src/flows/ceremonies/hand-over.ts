/** What a closed ceremony has for its people: shares, and certificates of the administrator CA. */
import { BUNDLE, outputFile } from '../../domain/ceremony/bundle-files.ts';
import { readPlan } from '../../domain/ceremony/plan.ts';
import type { KeystoreName } from '../../domain/ceremony/step-kinds.ts';
import type { SealedShare } from '../keystore/hand-out-shares.ts';
import { readShareFile, type Participant } from './participant.ts';

export interface HandedOver {
  /** Id of the person. */
  readonly person: string;
  /** DER, where the ceremony issued one. */
  readonly certificate?: Buffer;
  /** The newest share of each keystore. */
  readonly shares: Readonly<Partial<Record<KeystoreName, SealedShare>>>;
}

/** Everything in the bundle that is for one person, by person. @throws KmcError E_JSON, E_SCHEMA for a damaged bundle. */
export function handedOver(files: ReadonlyMap<string, Buffer>): HandedOver[] {
  const order = readPlan(files.get(BUNDLE.plan) ?? Buffer.alloc(0)).steps.map((step) => step.id);
  const people = new Map<string, { certificate?: Buffer; shares: Partial<Record<KeystoreName, SealedShare>> }>();
  const of = (person: string) => {
    const found = people.get(person) ?? { shares: {} };
    people.set(person, found);
    return found;
  };
  for (const step of order) {
    for (const [name, bytes] of files) {
      if (!name.startsWith(outputFile(`shares/${step}-`))) continue;
      const { keystore, ...share } = readShareFile(bytes);
      of(share.person).shares[keystore] = share;
    }
  }
  for (const [name, bytes] of files) {
    const [, person] = /^outputs\/people\/([a-z0-9-]+)\.cer$/.exec(name) ?? [];
    if (person !== undefined) of(person).certificate = bytes;
  }
  return [...people].map(([person, rest]) => ({ person, ...rest }));
}

/** A participant after a ceremony: with the certificate and the shares that it gave. */
export function afterCeremony(participant: Participant, given: HandedOver): Participant {
  return {
    ...participant,
    certificate: given.certificate ?? participant.certificate,
    shares: { ...participant.shares, ...given.shares },
  };
}

/** The shares of a hand-over with the keystores that they open. */
export function personSharesOf({ shares }: HandedOver): [KeystoreName, SealedShare][] {
  return (['service', 'ceremony'] as const).flatMap((keystore): [KeystoreName, SealedShare][] => {
    const share = shares[keystore];
    return share === undefined ? [] : [[keystore, share]];
  });
}
