/**
 * The policy files: read strictly, linted with file, line and rule, and turned into the policy set (frozen). On any doubt
 * the service does not start.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import type { PolicySet } from '../domain/policy.ts';
import { KmcError } from '../errors.ts';
import { policySetOf } from './policy/assemble.ts';
import { QUORUM_RULES, ROLE_RULES } from './policy/decision-rules.ts';
import { ADDRESS_RULES, LIMIT_RULES, PERIOD_RULES, REGION_RULES } from './policy/estate-rules.ts';
import { PROFILE_RULES, PROFILE_SET_RULES } from './policy/profile-rules.ts';
import type { PolicyRule, Severity } from './policy/rule.ts';
import { POLICY_FILES_SCHEMA, type PolicyFiles } from './policy/schemas.ts';
import { readStrictYaml, type StrictYaml } from './strict-yaml.ts';

export type { Severity } from './policy/rule.ts';

/** What kind of instance the files are for: a development instance may be weaker and says so. */
export type InstanceKind = 'production' | 'development';

export interface Finding {
  /** Name of the file in the folder. */
  readonly file: string;
  readonly line: number;
  readonly rule: string;
  readonly severity: Severity;
  readonly message: string;
}

export interface LoadedPolicies {
  readonly set: PolicySet;
  /** Warnings only: with an error nothing is loaded. */
  readonly findings: readonly Finding[];
}

const POLICY_RULES: readonly PolicyRule[] = [
  ...QUORUM_RULES,
  ...ROLE_RULES,
  ...PROFILE_SET_RULES,
  ...PROFILE_RULES,
  ...PERIOD_RULES,
  ...REGION_RULES,
  ...ADDRESS_RULES,
  ...LIMIT_RULES,
];

const POLICY_FILES = Object.keys(POLICY_FILES_SCHEMA.shape);

interface ReadResult {
  /** Present when every file is there and fits its schema. */
  readonly files: PolicyFiles | undefined;
  readonly documents: ReadonlyMap<string, StrictYaml>;
  readonly findings: readonly Finding[];
}

/**
 * Every fault of the policy files in `folder`, in the order of files and lines. Rules beyond the schemas run only when
 * every file fits its schema.
 */
export function lintPolicies(folder: string, kind: InstanceKind = 'production'): Finding[] {
  return lint(readFolder(folder), kind);
}

/**
 * Reads the policy set.
 * @throws KmcError E_CONFIG when there is an error among the findings; `pointers` lists each as `/file:line`.
 */
export function loadPolicies(folder: string, kind: InstanceKind): LoadedPolicies {
  const result = readFolder(folder);
  const findings = lint(result, kind);
  const errors = findings.filter((finding) => finding.severity === 'error');
  const [first] = errors;
  if (first !== undefined || result.files === undefined) {
    const where = first === undefined ? '' : ` First: ${first.file}, line ${first.line}: ${first.message}.`;
    throw new KmcError(
      'E_CONFIG',
      `The policy files have ${errors.length} faults; correct them and start again.${where}`,
      {
        pointers: errors.map((finding) => ({
          pointer: `/${finding.file}:${finding.line}`,
          detail: `${finding.rule}: ${finding.message}`,
        })),
      },
    );
  }
  return { set: deepFrozen(policySetOf(result.files)), findings };
}

function lint(result: ReadResult, kind: InstanceKind): Finding[] {
  const { files, documents } = result;
  if (files === undefined) return [...result.findings];
  return POLICY_RULES.flatMap((rule) =>
    rule.check(files).map((place) => ({
      file: rule.file,
      line: documents.get(rule.file)?.lineOf(place.path) ?? 1,
      rule: rule.id,
      severity: rule.relaxedInDevelopment && kind === 'development' ? ('warning' as const) : rule.severity,
      message: place.message,
    })),
  ).sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}

function readFolder(folder: string): ReadResult {
  const documents = new Map<string, StrictYaml>();
  const findings: Finding[] = unknownFiles(folder);
  for (const file of POLICY_FILES) {
    const bytes = bytesOf(folder, file);
    if (bytes === undefined) {
      findings.push(fault(file, 1, 'files/missing', 'the file is missing'));
      continue;
    }
    const { document, faults } = readStrictYaml(bytes);
    if (document !== undefined) documents.set(file, document);
    else findings.push(...faults.map((one) => fault(file, one.line, one.rule, one.message)));
  }
  const values = Object.fromEntries([...documents].map(([file, document]) => [file, document.value]));
  const parsed = POLICY_FILES_SCHEMA.safeParse(values);
  findings.push(...(parsed.error?.issues.flatMap((issue) => schemaFindings(documents, issue)) ?? []));
  return { files: findings.length === 0 ? parsed.data : undefined, documents, findings };
}

function fault(file: string, line: number, rule: string, message: string): Finding {
  return { file, line, rule, severity: 'error', message };
}

function unknownFiles(folder: string): Finding[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw new KmcError(
      'E_CONFIG',
      'The folder of the policy files cannot be read. Check where it lies and its permissions.',
      {
        cause: error,
      },
    );
  }
  return names
    .filter((name) => /\.ya?ml$/i.test(name) && !POLICY_FILES.includes(name))
    .map((name) => fault(name, 1, 'files/unknown', 'no policy file has this name'));
}

function bytesOf(folder: string, file: string): Buffer | undefined {
  try {
    return readFileSync(join(folder, file));
  } catch {
    return undefined;
  }
}

function schemaFindings(documents: ReadonlyMap<string, StrictYaml>, issue: z.core.$ZodIssue): Finding[] {
  const [file, ...path] = issue.path.map((step) => (typeof step === 'symbol' ? step.toString() : step));
  // A file that is missing or does not parse has its findings already.
  const document = typeof file === 'string' ? documents.get(file) : undefined;
  if (typeof file !== 'string' || document === undefined) return [];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) =>
      fault(file, document.lineOf([...path, key]), 'schema/unknown-key', `the key ${key} is not known here`),
    );
  }
  const where = path.length === 0 ? '' : `${path.join('.')}: `;
  const rule = issue.message.endsWith('received undefined') ? 'schema/missing-key' : 'schema/value';
  return [fault(file, document.lineOf(path), rule, `${where}${issue.message}`)];
}

function deepFrozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach((member: unknown) => deepFrozen(member));
  }
  return value;
}
