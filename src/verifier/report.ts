/** What a verification says at its end: coverage first, so that nobody takes silence for a yes. */
import type { Exit, Finding } from './findings.ts';
import { EXIT } from './findings.ts';

export interface Report {
  readonly exitCode: Exit;
  readonly origin: string;
  readonly checkpoint?: { readonly size: number; readonly root: string; readonly time: string };
  /** The leaves [from, to) of `of` agree with the signed root; `unverifiedTail` events do not. */
  readonly coverage: {
    readonly from: number;
    readonly to: number;
    readonly of: number;
    readonly unverifiedTail: number;
  };
  /** `sm3:<hex>` of the key that signed. */
  readonly logKey: string;
  readonly witnesses: readonly { readonly name: string; readonly time: string }[];
  /** What else was looked at: counts by their names. */
  readonly counts: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
  readonly findingCount: number;
  readonly warnings: readonly string[];
  /** Two signed notes that contradict each other. */
  readonly fork?: readonly [string, string];
}

/** A report of what could not even begin. */
export function notBegun(exit: Exit, what: string): Report {
  return {
    exitCode: exit,
    origin: '-',
    coverage: { from: 0, to: 0, of: 0, unverifiedTail: 0 },
    logKey: '-',
    witnesses: [],
    counts: {},
    findings: [{ exit, what }],
    findingCount: 1,
    warnings: [],
  };
}

/** The report for people, several lines. */
export function reportText(report: Report): string {
  const { checkpoint, coverage, findings, findingCount } = report;
  const counts = Object.entries(report.counts).map(([name, count]) => `${count} ${name}`);
  return [
    `log         ${report.origin}`,
    ...(checkpoint === undefined
      ? []
      : [`checkpoint  size ${checkpoint.size}, root ${checkpoint.root}, signed ${checkpoint.time}`]),
    `signed by   ${report.logKey}`,
    ...report.witnesses.map(({ name, time }) => `witness     ${name} at ${time}`),
    `verified    events [${coverage.from}, ${coverage.to}) of ${coverage.of}; unverified: ${coverage.unverifiedTail}`,
    ...(counts.length === 0 ? [] : [`            ${counts.join(', ')}`]),
    ...report.warnings.map((warning) => `warning     ${warning}`),
    ...findings.map(
      ({ exit, what, index }) => `FINDING ${exit}  ${index === undefined ? '' : `event ${index}: `}${what}`,
    ),
    ...(findingCount > findings.length ? [`            … ${findingCount} findings in all`] : []),
    ...(report.fork ?? []).map((note) => `signed note that contradicts another:\n${note}`),
    report.exitCode === EXIT.ok ? 'everything was checked and holds' : `not good: exit code ${report.exitCode}`,
  ].join('\n');
}
