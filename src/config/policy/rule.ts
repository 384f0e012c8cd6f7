/** What a rule over the policy files is, and how one is made. */
import type { PolicyFileName, PolicyFiles } from './schemas.ts';

export type Severity = 'error' | 'warning';

export interface Place {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export interface PolicyRule {
  readonly id: string;
  readonly file: PolicyFileName;
  readonly severity: Severity;
  /** `true`: only a warning in a development instance, which says so loudly and starts. */
  readonly relaxedInDevelopment: boolean;
  check(files: PolicyFiles): Place[];
}

/** A rule that holds everywhere. */
export function rule(id: string, file: PolicyFileName, check: PolicyRule['check']): PolicyRule {
  return { id, file, severity: 'error', relaxedInDevelopment: false, check };
}

/** A rule that a development instance may break. */
export function productionRule(id: string, file: PolicyFileName, check: PolicyRule['check']): PolicyRule {
  return { ...rule(id, file, check), relaxedInDevelopment: true };
}

/** A rule whose breach is said and accepted. */
export function advice(id: string, file: PolicyFileName, check: PolicyRule['check']): PolicyRule {
  return { ...rule(id, file, check), severity: 'warning' };
}

/** A place when the condition does not hold. */
export function unless(holds: boolean, path: Place['path'], message: string): Place[] {
  return holds ? [] : [{ path, message }];
}

/** The places of the items whose key stands earlier in the list already. */
export function repeated<Item>(
  items: readonly Item[],
  key: (item: Item) => string,
  list: string,
  message: string,
): Place[] {
  return items.flatMap((item, index) =>
    unless(items.findIndex((other) => key(other) === key(item)) === index, [list, index], message),
  );
}
