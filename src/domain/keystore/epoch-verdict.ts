/**
 * Do files, database and audit log agree? The table of security-and-faults 2.4 that finds a rolled-back keystore, a
 * rolled-back database, and a change that a crash cut in two.
 */
import { KmcError } from '../../errors.ts';

export interface EpochFacts {
  /** Epoch of the manifest on this node. */
  readonly file: number;
  /** Epoch in the database; 0 while it holds none. */
  readonly database: number;
  /** Epoch in the newest audit event about the keystore; 0 while there is none. */
  readonly audit: number;
  /** The newest change in the audit log made exactly the manifest on this node. */
  readonly auditNamesManifest: boolean;
  /** The journal record, when one is left. */
  readonly journal?: {
    /** Epoch that the recorded change makes. */
    readonly toEpoch: number;
    /** The record names exactly the manifest that stands in the files. */
    readonly namesManifest: boolean;
  };
}

export type EpochVerdict =
  | 'open' // all agree, nothing is left over
  | 'open-discard' // a record whose files were never completed: drop it and what it added
  | 'open-finish' // a record whose change is complete: clear up behind it
  | 'resume'; // files are one ahead: do the database step of the record

interface VerdictRow {
  readonly holds: (facts: EpochFacts) => boolean;
  readonly verdict: EpochVerdict | { readonly refuse: string };
}

const ROWS: readonly VerdictRow[] = [
  {
    holds: ({ file, database }) => file < database,
    verdict: {
      refuse: 'The files are an old copy of this keystore; carry the current files to this node or restore.',
    },
  },
  {
    holds: ({ database, audit }) => database !== audit,
    verdict: {
      refuse: 'Database and audit log name different epochs of the keystore; the database was altered.',
    },
  },
  {
    holds: ({ file, database, journal }) => file === database + 1 && journal?.toEpoch === file && journal.namesManifest,
    verdict: 'resume',
  },
  {
    holds: ({ file, database }) => file > database,
    verdict: {
      refuse: 'The files are newer than the database: the database went back. Restore it from a newer backup.',
    },
  },
  {
    // Two nodes changed their files at once, and the database took the other change.
    holds: ({ auditNamesManifest }) => !auditNamesManifest,
    verdict: {
      refuse: 'The files are of another change than the database; carry the current files to this node or restore.',
    },
  },
  { holds: ({ journal }) => journal === undefined, verdict: 'open' },
  { holds: ({ file, journal }) => journal?.toEpoch === file + 1, verdict: 'open-discard' },
  { holds: ({ file, journal }) => journal?.toEpoch === file && journal.namesManifest, verdict: 'open-finish' },
];

/**
 * The verdict over the epochs.
 * @throws KmcError E_ROLLBACK when files or database are older than they must be; E_INTEGRITY for a journal record that
 * belongs to no step that can have been cut here.
 */
export function judgeEpochs(facts: EpochFacts): EpochVerdict {
  const verdict = ROWS.find((row) => row.holds(facts))?.verdict;
  if (verdict === undefined) {
    throw new KmcError('E_INTEGRITY', 'The journal holds a record of another step; restore the keystore files.');
  }
  if (typeof verdict !== 'string') throw new KmcError('E_ROLLBACK', verdict.refuse);
  return verdict;
}

export interface CeremonyEpochFacts {
  /** Epoch of the manifest. */
  readonly file: number;
  /** The change that made the manifest's epoch. */
  readonly change: string;
  /** Epoch that the closed bundle of the last ceremony, or the step journal of a resumed one, states. */
  readonly last: number;
  /** The change whose result a resumed ceremony had not yet recorded. */
  readonly pendingChange?: string;
}

/**
 * The same question for the ceremony keystore, which has no database: its epoch stands in its manifest and in the
 * bundle of the last ceremony.
 * @returns `ahead` when a crash cut a resumed ceremony between its change and the record of the result.
 * @throws KmcError E_ROLLBACK.
 */
export function judgeCeremonyEpoch({ file, change, last, pendingChange }: CeremonyEpochFacts): 'open' | 'ahead' {
  if (file === last) return 'open';
  if (file === last + 1 && pendingChange === change) return 'ahead';
  throw new KmcError(
    'E_ROLLBACK',
    file < last
      ? 'This is an old copy of the ceremony keystore; take the medium of the last ceremony.'
      : 'The ceremony keystore was changed outside the ceremonies that are on record.',
  );
}
