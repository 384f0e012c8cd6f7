/** `kmc audit verify`: an export of the log is checked offline, with nothing but what stands in the folder. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { decodePem } from '../crypto/asn1/pem.ts';
import { parseStrictJson } from '../crypto/jcs.ts';
import { AUDIT_EXIT, type AuditExit, type AuditFinding } from '../domain/audit/findings.ts';
import { parseAuditPolicy, type AuditPolicy } from '../domain/audit/policy.ts';
import { inOrder, object, text } from '../domain/audit/shape.ts';
import {
  AuditVerification,
  type AuditReport,
  type PinnedState,
  type VerificationInput,
} from '../domain/audit/verify.ts';
import { KmcError } from '../errors.ts';
import { AUDIT_FILES } from '../flows/audit/pulls/export-audit.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { eventLines, readAuditFile, requireAuditFolder, tileFilesOf } from './audit-folder.ts';

export interface AuditVerifyOptions {
  readonly directory: string;
  /** A policy file from the auditor's own hands; without it the one in the folder is taken, and the report says so. */
  readonly policyFile?: string;
  /** Remembers the last verified state; the log must continue it. Made at the first run, rewritten after a good one. */
  readonly stateFile?: string;
  /** Of a pull: up to the newest checkpoint that so many witnesses have cosigned. */
  readonly cosigned?: string;
  /** Where two notes that contradict each other are written. */
  readonly evidenceFile?: string;
}

export interface AuditVerifyResult {
  readonly exitCode: AuditExit;
  readonly report: AuditReport;
}

const ROOT = /^sm3:[0-9a-f]{64}$/;
const STATE = object({
  origin: { check: text(/^.{1,200}$/) },
  root: { check: text(ROOT) },
  size: { check: text(/^\d{1,15}$/) },
});

/**
 * Verifies the export in a folder. Exit codes are those of audit-log 3.14: 0 only when everything was checked and holds.
 * @throws KmcError E_NOT_FOUND without such a folder, E_USAGE for a policy or state file of the caller that cannot be read.
 */
export async function runAuditVerify(options: AuditVerifyOptions): Promise<AuditVerifyResult> {
  const pinned = options.stateFile === undefined ? undefined : readState(options.stateFile);
  const own = options.policyFile === undefined ? undefined : readPolicy(options.policyFile);
  requireAuditFolder(options.directory);
  const input = readInput(options.directory, own);
  if ('exit' in input) return unverified(input);
  const verification = new AuditVerification({ ...input, ...(pinned === undefined ? {} : { pinned }) });
  await addEvents(verification, options.directory);
  const report = await verification.finish();
  const warnings = [
    ...(own === undefined
      ? ['the policy and the log key come from the folder itself: compare the key, or pin it with --policy']
      : []),
    ...(options.stateFile !== undefined && pinned === undefined
      ? ['first run: this state is trusted from now on']
      : []),
    ...report.warnings,
  ];
  if (report.fork !== undefined && options.evidenceFile !== undefined) {
    writeFileSync(options.evidenceFile, report.fork.join('\n'));
  }
  if (report.exitCode === AUDIT_EXIT.ok && options.stateFile !== undefined) writeState(options.stateFile, report);
  return { exitCode: report.exitCode, report: { ...report, warnings } };
}

/** The report for people. */
export function auditReportText(report: AuditReport): string {
  const { checkpoint, coverage } = report;
  return [
    `log         ${report.origin}`,
    ...(checkpoint === undefined
      ? []
      : [`checkpoint  size ${checkpoint.size}, root ${checkpoint.root}, signed ${checkpoint.time}`]),
    `signed by   ${report.logKey}`,
    ...report.witnesses.map(({ name, time }) => `witness     ${name} at ${time}`),
    `verified    events [${coverage.from}, ${coverage.to}) of ${coverage.of}; unverified: ${coverage.unverifiedTail}`,
    `            ${report.subjects} subjects, ${report.notes} signed notes, ${report.tiles} tile files`,
    ...report.warnings.map((warning) => `warning     ${warning}`),
    ...report.findings.map(
      ({ exit, what, index }) => `FINDING ${exit}  ${index === undefined ? '' : `event ${index}: `}${what}`,
    ),
    ...(report.findingCount > report.findings.length ? [`            … ${report.findingCount} findings in all`] : []),
    ...(report.fork ?? []).map((note) => `signed note that contradicts another:\n${note}`),
    report.exitCode === AUDIT_EXIT.ok ? 'everything was checked and holds' : `not good: exit code ${report.exitCode}`,
  ].join('\n');
}

/** What the verification needs besides the events, or why it cannot begin. */
function readInput(directory: string, own: AuditPolicy | undefined): VerificationInput | AuditFinding {
  const checkpoint = readAuditFile(directory, AUDIT_FILES.checkpoint);
  if (checkpoint === undefined) return missing(AUDIT_FILES.checkpoint);
  const pem = readAuditFile(directory, AUDIT_FILES.certificate);
  if (pem === undefined) return missing(AUDIT_FILES.certificate);
  const policyJson = readAuditFile(directory, AUDIT_FILES.policy);
  if (own === undefined && policyJson === undefined) return missing(AUDIT_FILES.policy);
  const policy = own ?? attempt(() => parseAuditPolicy(policyJson ?? ''), AUDIT_EXIT.usage, AUDIT_FILES.policy);
  if ('exit' in policy) return policy;
  const certificate = attempt(
    () => parseCertificate(decodePem(pem, 'CERTIFICATE')),
    AUDIT_EXIT.malformed,
    AUDIT_FILES.certificate,
  );
  if ('exit' in certificate) return certificate;
  const { spki, notBefore, notAfter } = certificate;
  const tiles = tileFilesOf(directory);
  return {
    policy,
    logSpki: spki,
    validity: { notBefore, notAfter },
    checkpoint,
    otherNotes: otherNotes(directory),
    ...(tiles === undefined ? {} : { tiles }),
  };
}

function missing(file: string): AuditFinding {
  return { exit: AUDIT_EXIT.undecided, what: `${file} is missing or cannot be read` };
}

function attempt<T extends object>(read: () => T, exit: AuditExit, file: string): T | AuditFinding {
  try {
    return read();
  } catch (error) {
    if (error instanceof KmcError) return { exit, what: `${file}: ${error.message}` };
    throw error;
  }
}

/** A line that cannot be read is handed on as it is: as a note it is refused, and that is a finding. */
function otherNotes(directory: string): string[] {
  const lines = readAuditFile(directory, AUDIT_FILES.checkpoints)?.split('\n') ?? [];
  return lines.filter((line) => line !== '').map(noteOfLine);
}

function noteOfLine(line: string): string {
  try {
    const value = parseStrictJson(line, { maxDepth: 1 });
    const note = typeof value === 'object' && value !== null && 'note' in value ? value['note'] : undefined;
    return typeof note === 'string' ? note : line;
  } catch (error) {
    if (error instanceof KmcError) return line;
    throw error;
  }
}

async function addEvents(verification: AuditVerification, directory: string): Promise<void> {
  try {
    const lines = eventLines(directory);
    for (;;) {
      const next = await lines.next();
      if (next.done !== true) {
        for (const line of next.value) verification.add(line);
        continue;
      }
      if (!next.value) verification.fault(AUDIT_EXIT.undecided, `${AUDIT_FILES.events} ends in the middle of a line`);
      return;
    }
  } catch (error) {
    if (!(error instanceof KmcError)) throw error;
    verification.fault(error.code === 'E_SIZE' ? AUDIT_EXIT.malformed : AUDIT_EXIT.undecided, error.message);
  }
}

function unverified(finding: AuditFinding): AuditVerifyResult {
  const report: AuditReport = {
    exitCode: finding.exit,
    origin: '',
    coverage: { from: 0, to: 0, of: 0, unverifiedTail: 0 },
    subjects: 0,
    notes: 0,
    tiles: 0,
    logKey: '',
    witnesses: [],
    findings: [finding],
    findingCount: 1,
    warnings: [],
  };
  return { exitCode: finding.exit, report };
}

function readPolicy(file: string): AuditPolicy {
  return ownFile(file, 'policy', parseAuditPolicy);
}

function readState(file: string): PinnedState | undefined {
  if (!existsSync(file)) return undefined;
  return ownFile(file, 'state', (json) => {
    const value: unknown = inOrder(parseStrictJson(json, { maxDepth: 2 }));
    if (!isState(value)) throw new KmcError('E_SCHEMA', 'it does not hold origin, root and size');
    return {
      origin: value.origin,
      size: Number(value.size),
      root: Buffer.from(value.root.slice('sm3:'.length), 'hex'),
    };
  });
}

function isState(value: unknown): value is { readonly origin: string; readonly root: string; readonly size: string } {
  return STATE(value) === undefined;
}

/** Written in one step, so that a state is never half there. */
export function writeState(file: string, { origin, checkpoint }: Pick<AuditReport, 'origin' | 'checkpoint'>): void {
  if (checkpoint === undefined) return;
  const state = { origin, root: checkpoint.root, size: String(checkpoint.size) };
  writeFileSync(`${file}.tmp`, `${JSON.stringify(state)}\n`);
  renameSync(`${file}.tmp`, file);
}

/** A file that the caller named: when it cannot be read, the command was used wrongly. */
function ownFile<T>(file: string, what: string, read: (json: string) => T): T {
  try {
    return read(readFileSync(file, 'utf8'));
  } catch (cause) {
    const why = cause instanceof KmcError ? cause.message : 'it cannot be opened';
    throw new KmcError('E_USAGE', `The ${what} file cannot be used: ${why}`, { cause });
  }
}
