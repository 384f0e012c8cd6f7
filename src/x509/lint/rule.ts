/** What a lint rule is, and how a set of rules is run. */
import { KmcError } from '../../errors.ts';

export type Severity = 'error' | 'warning';

/** One rule over `View`. `id` begins with `e_` for an error and `w_` for a warning. */
export interface Rule<View> {
  readonly id: string;
  readonly severity: Severity;
  /** The clause that the rule comes from. */
  readonly cites: string;
  /** What is wrong, as a sentence, or undefined when nothing is. */
  readonly check: (view: View) => string | undefined;
}

/** What a rule found. */
export interface Finding {
  readonly id: string;
  readonly severity: Severity;
  readonly cites: string;
  readonly text: string;
}

/** The findings of `rules` on `view`, without the rules named in `skip`. */
export function runRules<View>(rules: readonly Rule<View>[], view: View, skip: readonly string[] = []): Finding[] {
  const findings: Finding[] = [];
  for (const { id, severity, cites, check } of rules) {
    if (skip.includes(id)) continue;
    const text = check(view);
    if (text !== undefined) findings.push({ id, severity, cites, text });
  }
  return findings;
}

/** Throws `E_LINT` naming the rules when a finding is an error; gives the warnings back. `what` names the object. */
export function refuseErrors(findings: readonly Finding[], what: string): Finding[] {
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return findings.filter(({ severity }) => severity === 'warning');
  const list = errors.map(({ id, text, cites }) => `${id}: ${text} (${cites})`).join('; ');
  throw new KmcError('E_LINT', `The ${what} breaks ${errors.length === 1 ? 'a rule' : 'rules'}: ${list}`);
}

/** Refuses names in `skip` that are no rule, so that a misspelt exemption is noticed. Throws `E_LINT`. */
export function requireKnownRules(skip: readonly string[], rules: readonly Rule<never>[]): void {
  const unknown = skip.filter((id) => !rules.some((rule) => rule.id === id));
  if (unknown.length > 0) throw new KmcError('E_LINT', `There is no lint rule ${unknown.join(', ')} to skip.`);
}
