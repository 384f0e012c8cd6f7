/** The shares that a ceremony handed out, and whose holders have given them back once, to show that they have them (C18). */
import { stepText, type CeremonyStep } from './ceremony-file.ts';
import type { KeystoreName } from './step-kinds.ts';
import type { ReadRecord } from './transcript.ts';

export interface HandedOutSet {
  readonly keystore: KeystoreName;
  /** Id of the step that handed it out. */
  readonly step: string;
  readonly set: string;
  /** Ids of the holders. */
  readonly holders: readonly string[];
}

const SHARE_FILE = /^outputs\/shares\/(.+)\.json$/;

/** The set of each keystore that the ceremony handed out last: those before it open nothing any more. */
function handedOutSets(steps: readonly CeremonyStep[], records: readonly ReadRecord[]): HandedOutSet[] {
  const sets = new Map<KeystoreName, HandedOutSet>();
  for (const { kind, outcome, step, files, facts } of records) {
    const holders = files.flatMap(({ name }) => SHARE_FILE.exec(name)?.[1]?.slice(step.length + 1) ?? []);
    const planned = steps.find((one) => one.id === step);
    if (kind !== 'result' || outcome !== 'success' || planned === undefined || holders.length === 0) continue;
    const keystore = stepText(planned, 'keystore') === 'service' ? 'service' : 'ceremony';
    sets.set(keystore, { keystore, step, set: facts['set'] ?? '', holders });
  }
  return [...sets.values()];
}

export interface AwaitedShare {
  readonly keystore: KeystoreName;
  readonly step: string;
  readonly set: string;
  readonly person: string;
}

/** The shares that were handed out and not given back yet: the ceremony does not end before they are. */
export function awaitedShares(steps: readonly CeremonyStep[], records: readonly ReadRecord[]): AwaitedShare[] {
  const given = new Set(
    records
      .filter(({ kind, outcome }) => kind === 'share' && outcome === 'success')
      .map(({ facts, operator }) => `${facts['set'] ?? ''} ${operator}`),
  );
  return handedOutSets(steps, records).flatMap(({ holders, ...set }) =>
    holders.filter((person) => !given.has(`${set.set} ${person}`)).map((person) => ({ ...set, person })),
  );
}
