/** `kmc policy`: the policy files before and after they are in force. */
import { lintPolicies, loadPolicies, type Finding } from '../config/policies.ts';
import { policyDigest } from '../domain/policy.ts';
import { table, type Command } from './command.ts';
import { EXIT } from './exit-codes.ts';

function rendered(findings: readonly Finding[]): string {
  if (findings.length === 0) return 'no findings';
  return table(
    ['FILE', 'LINE', 'RULE', 'SEVERITY', 'MESSAGE'],
    findings.map(({ file, line, rule, severity, message }) => [file, String(line), rule, severity, message]),
  );
}

export const commands: readonly Command[] = [
  {
    noun: 'policy',
    verb: 'lint',
    summary: 'Checks policy files: every finding with file, line and rule. Exit 4 when one is an error.',
    example: 'kmc policy lint policies',
    positionals: ['DIR?'],
    options: { production: { type: 'boolean', help: 'by the rules of a production instance (default: of this one)' } },
    async run(input, { environment }) {
      const folder = input.positionals[0] ?? environment.policies;
      const kind = input.flag('production') ? 'production' : environment.environment;
      const findings = lintPolicies(folder, kind);
      const failed = findings.some((finding) => finding.severity === 'error');
      return {
        exitCode: failed ? EXIT.verificationFailed : EXIT.ok,
        json: { ok: !failed, findings },
        text: rendered(findings),
      };
    },
  },
  {
    noun: 'policy',
    verb: 'show',
    summary: 'Shows the digest and the main figures of the policy files.',
    example: 'kmc policy show',
    positionals: ['DIR?'],
    async run(input, { environment }) {
      const { set } = loadPolicies(input.positionals[0] ?? environment.policies, environment.environment);
      const digest = policyDigest(set);
      const quorums = Object.entries(set.quorums).map(([name, rule]) => [
        name,
        String(rule.approvals),
        String(rule.distinctRoles),
        String(rule.distinctUnits),
        `${rule.expirySeconds / 3600} h`,
      ]);
      return {
        json: { digest, version: set.version, quorums: set.quorums, profiles: Object.keys(set.profiles) },
        text: [
          `policy ${set.version}  ${digest}`,
          `${Object.keys(set.profiles).length} certificate profiles, ${set.regions.length} regions`,
          '',
          table(['CLASS', 'APPROVALS', 'ROLES', 'UNITS', 'EXPIRES'], quorums),
        ].join('\n'),
      };
    },
  },
];
