/**
 * Lint before touch (C2, C3): every rule over a ceremony file, with its id. A file that breaks one is neither planned nor
 * run; nothing was read or written by then but the file itself.
 */
import type { PolicySet } from '../policy.ts';
import type { CeremonyFile } from './ceremony-file.ts';
import { FRAME_RULES } from './rules/frame-rules.ts';
import { PEOPLE_RULES } from './rules/people-rules.ts';
import { QUORUM_RULES } from './rules/quorum-rules.ts';
import { STEP_RULES } from './rules/step-rules.ts';

/** What the rules compare the file with. */
export interface LintFacts {
  readonly policies: PolicySet;
  readonly environment: 'production' | 'development';
}

export interface CeremonyFinding {
  readonly rule: string;
  /** Where in the file, for its line. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export interface CeremonyRule {
  readonly id: string;
  /** Clause of security-and-faults 1.2 or of another document. */
  readonly cites: string;
  readonly check: (file: CeremonyFile, facts: LintFacts) => readonly Omit<CeremonyFinding, 'rule'>[];
}

export const CEREMONY_RULES: readonly CeremonyRule[] = [
  ...FRAME_RULES,
  ...QUORUM_RULES,
  ...PEOPLE_RULES,
  ...STEP_RULES,
];

/** Every fault of a file. */
export function lintCeremony(file: CeremonyFile, facts: LintFacts): CeremonyFinding[] {
  return CEREMONY_RULES.flatMap(({ id, check }) => check(file, facts).map((finding) => ({ rule: id, ...finding })));
}
