/** `kmc check`: the invariants of an instance, looked at from outside of the service. */
import { parseCertificate } from '../x509/certificate.ts';
import { DEFAULT_CLOCK_SKEW, DEFAULT_MAX_DELAY } from '../domain/audit/policy.ts';
import { spkiSm3 } from '../crypto/spki.ts';
import { KmcError } from '../errors.ts';
import { checkAuditLog } from '../flows/audit/log/check-audit-log.ts';
import { checkInstance, type InvariantResult } from '../flows/check/check-instance.ts';
import type { Instance } from '../flows/instance.ts';
import { table, type Command } from './command.ts';
import { EXIT } from './exit-codes.ts';

async function auditResult(instance: Instance): Promise<InvariantResult> {
  const title = 'the audit log verifies, and no event lies outside of it';
  const certificate = await instance.audit.certificate();
  if (certificate === undefined)
    return { id: 'I4', title, checked: 0, violations: [], limit: 'there is no log key yet' };
  const { spki, notBefore, notAfter } = parseCertificate(certificate);
  const policy = {
    origin: instance.audit.origin,
    logKey: spkiSm3(spki),
    clockSkew: DEFAULT_CLOCK_SKEW,
    maxDelay: DEFAULT_MAX_DELAY,
    witnesses: [],
    quorum: 0,
  };
  try {
    const { report, rows, misfiled, ok } = await checkAuditLog(instance, {
      policy,
      logSpki: spki,
      validity: { notBefore, notAfter },
    });
    const violations = [
      ...report.findings.map((finding) => JSON.stringify(finding)),
      ...misfiled.map((id) => `the columns of ${id} are not those of the event`),
    ];
    return {
      id: 'I4',
      title,
      checked: rows.written,
      violations: ok || violations.length > 0 ? violations : ['events lie outside'],
    };
  } catch (error) {
    if (!(error instanceof KmcError) || error.code !== 'E_NOT_FOUND') throw error;
    return { id: 'I4', title, checked: 0, violations: [], limit: 'no checkpoint was signed yet' };
  }
}

/** Looks at every invariant of an opened instance, as `kmc check` does. */
export async function checkAll(instance: Instance): Promise<readonly InvariantResult[]> {
  return [...(await checkInstance(instance)), await auditResult(instance)];
}

/** The results as a table, with the violations below it. */
export function invariantTable(results: readonly InvariantResult[]): string {
  const rows = results.map(({ id, violations, checked, title, limit }) => [
    id,
    violations.length === 0 ? 'holds' : 'BROKEN',
    String(checked),
    limit === undefined ? title : `${title} (${limit})`,
  ]);
  const broken = results.flatMap(({ id, violations }) => violations.map((violation) => `${id}: ${violation}`));
  return [table(['', '', 'CHECKED', 'INVARIANT'], rows), ...broken].join('\n');
}

export const commands: readonly Command[] = [
  {
    noun: 'check',
    verb: '',
    summary: 'Checks the invariants of the instance in --home. Exit 4 when one does not hold.',
    example: 'kmc check --home keystore/dev',
    async run(_input, context) {
      const instance = await context.openInstance();
      const results = await checkAll(instance);
      const holds = results.every((result) => result.violations.length === 0);
      return {
        exitCode: holds ? EXIT.ok : EXIT.verificationFailed,
        json: { ok: holds, invariants: results },
        text: invariantTable(results),
      };
    },
  },
];
