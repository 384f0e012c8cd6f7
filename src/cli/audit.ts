/** `kmc audit …` */
import { auditReportText, runAuditVerify, type AuditVerifyOptions, type AuditVerifyResult } from './audit-verify.ts';
import { runAuditPull } from './audit-pull.ts';
import type { Command, CommandInput, OptionSpec, Outcome } from './command.ts';

const VERIFY_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  policy: { type: 'string', value: 'FILE', help: "the auditor's own policy (default: policy.json of the folder)" },
  state: { type: 'string', value: 'FILE', help: 'what was verified last; the log must continue it' },
  evidence: { type: 'string', value: 'FILE', help: 'where two contradicting notes are written' },
};

const EXIT_CODES =
  'Exit codes: 0 all verified, 1 usage or policy file, 3 cannot decide, 5 no such folder, 10 content, 11 signature, 12 fork, 13 witnesses, ' +
  '14 history of a subject, 15 rolled back, 16 malformed, 17 time.';

export const commands: readonly Command[] = [
  {
    noun: 'audit',
    verb: 'verify',
    summary: `Verifies an exported audit log offline. ${EXIT_CODES}`,
    example: 'kmc audit verify demo/audit --policy my-policy.json --state last-verified.json',
    positionals: ['DIR'],
    options: VERIFY_OPTIONS,
    run: async (input) => outcomeOf(await runAuditVerify(verifyOptions(input))),
  },
  {
    noun: 'audit',
    verb: 'pull',
    summary: `Copies the audit log of a service into a new folder and verifies it. ${EXIT_CODES}`,
    example: 'kmc audit pull copy-2026-11 --url https://kmc.example.org --key auditor.key.pem --cert auditor.crt.pem',
    positionals: ['DIR'],
    options: VERIFY_OPTIONS,
    async run(input, context) {
      const progress = (done: number, total: number): void => context.progress('audit pull', done, total);
      return outcomeOf(await runAuditPull(await context.client(), verifyOptions(input), progress));
    },
  },
];

function verifyOptions(input: CommandInput): AuditVerifyOptions {
  const [directory = ''] = input.positionals;
  const [policyFile, stateFile, evidenceFile] = ['policy', 'state', 'evidence'].map((name) => input.text(name));
  return {
    directory,
    ...(policyFile === undefined ? {} : { policyFile }),
    ...(stateFile === undefined ? {} : { stateFile }),
    ...(evidenceFile === undefined ? {} : { evidenceFile }),
  };
}

function outcomeOf({ exitCode, report }: AuditVerifyResult): Outcome {
  return { exitCode, json: report, text: auditReportText(report) };
}
