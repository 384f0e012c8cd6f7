/** Ceremony files: YAML that can be read in one way only, with the line of every fault (security-and-faults C1, C3). */
import { z } from 'zod';
import type { CeremonyFile, CeremonyStep } from '../domain/ceremony/ceremony-file.ts';
import { lintCeremony, type LintFacts } from '../domain/ceremony/lint.ts';
import { ROLE_NAMES } from '../domain/roles.ts';
import { readSignedTime, type SignedObject, type SignedValue } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { readStrictYaml, type StrictYaml } from './strict-yaml.ts';

export interface CeremonyFileFinding {
  readonly line: number;
  readonly rule: string;
  readonly message: string;
}

/** Exactly one of the two is there. */
export type CeremonyFileResult =
  | { readonly file: CeremonyFile; readonly findings?: never }
  | { readonly file?: never; readonly findings: readonly CeremonyFileFinding[] };

const id = z
  .string()
  .max(64)
  .regex(/^[a-z0-9][a-z0-9-]*$/, 'must be lower-case letters, digits and hyphens');
const digest = z.string().regex(/^sm3:[0-9a-f]{64}$/, 'must be sm3: and 64 lower-case hex digits');
const text = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}\p{Cf}]+$/u, 'must not hold control characters')
  .refine((value) => value.normalize('NFC') === value, 'must be in Unicode normalisation form C');
const name = text.max(64);
const time = z.string().refine((value) => readSignedTime(value) !== undefined, 'must be a time YYYY-MM-DDTHH:MM:SSZ');
const role = z.enum(ROLE_NAMES);
const grant = z.union([
  role.transform((named) => ({ role: named })),
  z.strictObject({ role, region: z.string().max(6) }),
]);
const inputName = z.string().regex(/^[a-z0-9][A-Za-z0-9._-]{0,95}$/, 'must be a file name without folders');
const memberText = z.string().max(1024);
const members = z.record(z.string().max(64), z.union([memberText, z.record(z.string().max(64), memberText)]));

const FILE_SCHEMA = z.strictObject({
  ceremony: z.literal('v1'),
  type: id,
  id,
  environment: z.enum(['production', 'development']),
  policy: text,
  previous: z.union([digest, z.literal('none')]),
  window: z.strictObject({ from: time, to: time }),
  software: z.strictObject({ bundle: digest, node: digest, lock: digest }).partial().optional(),
  quorum: z.strictObject({
    k: z.int().min(1).max(255),
    holders: z.array(digest).min(2).max(255),
    witness: z.array(digest).min(1).max(8),
    auditor: digest,
    lead: digest,
    recipients: z.strictObject({ k: z.int().min(1).max(255), holders: z.array(digest).min(2).max(255) }).optional(),
  }),
  inputs: z
    .array(z.strictObject({ name: inputName, sm3: digest, secret: z.boolean().default(false) }))
    .max(64)
    .default([]),
  people: z
    .array(
      z.strictObject({
        id,
        name,
        unit: name,
        organisation: name,
        region: z.string().max(6).optional(),
        roles: z.array(grant).min(1).max(8),
        certificate: digest,
        identity: digest.optional(),
      }),
    )
    .max(200)
    .default([]),
  steps: z.array(members).min(1).max(64),
  'skip-lints': z.array(z.strictObject({ lint: z.string().max(64), reason: text })).max(32),
});

/** Reads a ceremony file; the rules of the lint are not applied yet. */
export function readCeremonyFile(bytes: Uint8Array): CeremonyFileResult {
  const parsed = parseCeremonyFile(bytes);
  return parsed.findings === undefined ? { file: parsed.file } : { findings: parsed.findings };
}

/** Every fault of a ceremony file, by its syntax, its schema and the rules of the lint, in the order of lines. */
export function lintCeremonyFile(bytes: Uint8Array, facts: LintFacts): CeremonyFileFinding[] {
  const parsed = parseCeremonyFile(bytes);
  if (parsed.findings !== undefined) return [...parsed.findings];
  return lintCeremony(parsed.file, facts)
    .map(({ rule, path, message }) => ({ line: parsed.document.lineOf(path), rule, message }))
    .sort((a, b) => a.line - b.line);
}

/**
 * Reads a ceremony file without a fault.
 * @throws KmcError E_LINT; `pointers` lists each finding as `/line:<n>` with its rule.
 */
export function loadCeremonyFile(bytes: Uint8Array, facts: LintFacts): CeremonyFile {
  const findings = lintCeremonyFile(bytes, facts);
  const { file } = readCeremonyFile(bytes);
  if (findings.length === 0 && file !== undefined) return file;
  throw unreadable(findings);
}

function unreadable(findings: readonly CeremonyFileFinding[]): KmcError {
  const [first] = findings;
  const where = first === undefined ? '' : ` First: line ${first.line}: ${first.message} (${first.rule}).`;
  return new KmcError('E_LINT', `The ceremony file has ${findings.length} faults; nothing was done.${where}`, {
    pointers: findings.map(({ line, rule, message }) => ({ pointer: `/line:${line}`, detail: `${rule}: ${message}` })),
  });
}

/**
 * The file with the digests of the tool in it, as `software`, in the place of others that may stand there; everything else
 * stays as it is, octet by octet.
 * @throws KmcError E_LINT when it does not read.
 */
export function pinSoftware(bytes: Uint8Array, software: Readonly<Record<'bundle' | 'node' | 'lock', string>>): Buffer {
  const parsed = parseCeremonyFile(bytes);
  if (parsed.findings !== undefined) throw unreadable(parsed.findings);
  const lines = Buffer.from(bytes).toString('utf8').split('\n');
  const first = lines.findIndex((line) => line.startsWith('software:'));
  const rest = first === -1 ? -1 : lines.slice(first + 1).findIndex((line) => /^[^\s#]/.test(line));
  const { bundle, node, lock } = software;
  const pinned = `software: {bundle: "${bundle}", node: "${node}", lock: "${lock}"}`;
  if (first === -1)
    lines.splice(
      lines.findIndex((line) => line.startsWith('quorum:')),
      0,
      pinned,
    );
  else lines.splice(first, rest === -1 ? 1 : rest + 1, pinned);
  const result = Buffer.from(lines.join('\n'), 'utf8');
  const { file } = readCeremonyFile(result);
  if (file?.software?.bundle === bundle && file.software.node === node && file.software.lock === lock) return result;
  throw new KmcError('E_LINT', 'The file has no line that begins with quorum: write it as the templates are written.');
}

type Parsed =
  | { readonly file: CeremonyFile; readonly document: StrictYaml; readonly findings?: never }
  | { readonly findings: readonly CeremonyFileFinding[] };

function parseCeremonyFile(bytes: Uint8Array): Parsed {
  const { document, faults } = readStrictYaml(bytes);
  if (document === undefined) return { findings: faults };
  const parsed = FILE_SCHEMA.safeParse(document.value);
  if (!parsed.success) return { findings: parsed.error.issues.flatMap((issue) => schemaFindings(document, issue)) };
  const findings = parsed.data.steps.flatMap((step, at) => stepFindings(document, step, at));
  if (findings.length > 0) return { findings };
  return { document, file: ceremonyFileOf(parsed.data) };
}

function ceremonyFileOf(yaml: z.infer<typeof FILE_SCHEMA>): CeremonyFile {
  const { 'skip-lints': skipLints, steps, people, software, quorum, ...rest } = yaml;
  const { recipients, ...seats } = quorum;
  return {
    ...rest,
    quorum: { ...seats, ...(recipients === undefined ? {} : { recipients }) },
    ...(software === undefined ? {} : { software: withoutAbsent(software) }),
    people: people.map(({ region, identity, ...person }) => ({
      ...person,
      ...(region === undefined ? {} : { region }),
      ...(identity === undefined ? {} : { identity }),
    })),
    steps: steps.map(stepOf),
    skipLints,
  };
}

function withoutAbsent(software: { readonly [name in 'bundle' | 'node' | 'lock']?: string | undefined }) {
  const { bundle, node, lock } = software;
  return {
    ...(bundle === undefined ? {} : { bundle }),
    ...(node === undefined ? {} : { node }),
    ...(lock === undefined ? {} : { lock }),
  };
}

function stepOf(yaml: Readonly<Record<string, SignedValue>>): CeremonyStep {
  const { id: stepId, do: kind, ...rest } = yaml;
  const own: SignedObject = rest;
  // Both were checked to be names before.
  return { id: typeof stepId === 'string' ? stepId : '', do: typeof kind === 'string' ? kind : '', members: own };
}

function stepFindings(
  document: StrictYaml,
  step: Readonly<Record<string, unknown>>,
  at: number,
): CeremonyFileFinding[] {
  return ['id', 'do'].flatMap((member) => {
    if (id.safeParse(step[member]).success) return [];
    const message = `${member}: must be lower-case letters, digits and hyphens`;
    return [{ line: document.lineOf(['steps', at, member]), rule: 'schema/value', message }];
  });
}

function schemaFindings(document: StrictYaml, issue: z.core.$ZodIssue): CeremonyFileFinding[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? step.toString() : step));
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      line: document.lineOf([...path, key]),
      rule: 'schema/unknown-key',
      message: `the key ${key} is not known here`,
    }));
  }
  const where = path.length === 0 ? '' : `${path.join('.')}: `;
  const rule = issue.message.endsWith('received undefined') ? 'schema/missing-key' : 'schema/value';
  return [{ line: document.lineOf(path), rule, message: `${where}${issue.message}` }];
}
