/** `kmc audit …` */
import { runAuditWitness, WITNESS_OPTIONS } from './audit-witness.ts';
import { runAuditReport } from './audit-report.ts';
import { readCertificateFile } from './named-file.ts';
import { isHistoryFile, verifyCopyAndIndexes, verifyHistoryFile } from './audit-independent.ts';
import { auditReportText, runAuditVerify, type AuditVerifyOptions, type AuditVerifyResult } from './audit-verify.ts';
import { EXPORT_OPTIONS, runAuditExport } from './audit-export.ts';
import { HISTORY_OPTIONS, runAuditProve } from './audit-prove.ts';
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
    summary: `Verifies a copy of the audit log, or a history file, offline. ${EXIT_CODES}`,
    example: 'kmc audit verify demo/audit --policy my-policy.json --state last-verified.json',
    positionals: ['COPY'],
    options: {
      ...VERIFY_OPTIONS,
      'rederive-index': { type: 'boolean', help: 'makes every index in the log anew, by the stand-alone verifier' },
    },
    run: (input) => verify(input),
  },
  {
    noun: 'audit',
    verb: 'report',
    summary:
      'The life of a key as a page for people: timeline, events, approvals with their signatures checked, proofs.',
    details: ['Writes the page, and beside it the history file that proves it. It is printed from any browser.'],
    example: 'kmc audit report --key key-01j... --out key.html --key-file me.key.pem --cert me.crt.pem',
    options: {
      ...HISTORY_OPTIONS,
      out: { type: 'string', value: 'FILE', required: true, help: 'the new page' },
      anchor: { type: 'string', value: 'FILE', multiple: true, help: 'certificate of the administrator CA' },
    },
    async run(input, context) {
      const anchors = input.list('anchor').map(readCertificateFile);
      return await runAuditReport(await context.client(), input, { anchors, wait: waitSeconds });
    },
  },
  {
    noun: 'audit',
    verb: 'witness',
    summary:
      'Cosigns the newest checkpoint with your own key, if it extends what this machine has seen. Exit codes as for verify.',
    details: ['Without a network: --fetch on one machine, --in and --out on the other, --submit on the first again.'],
    example:
      'kmc audit witness --person person-01j... --state witness.json --key auditor.key.pem --cert auditor.crt.pem',
    options: WITNESS_OPTIONS,
    run: (input, context) => runAuditWitness(input, context),
  },
  {
    noun: 'audit',
    verb: 'export',
    summary: 'Writes events into a file: JSON lines, CSV, RFC 5424 syslog or OCSF; filtered, and on as they come.',
    details: [
      'Only a copy (kmc audit pull) or a history (kmc audit prove) is evidence; an export is for other programs.',
    ],
    example: 'kmc audit export --format csv --action key. --out keys.csv --key auditor.key.pem --cert auditor.crt.pem',
    options: EXPORT_OPTIONS,
    async run(input, context) {
      const stop = new AbortController();
      const forget = context.onStop(() => stop.abort());
      const progress = (done: number, total: number): void => context.progress('audit export', done, total);
      try {
        return await runAuditExport(await context.client(), input, { signal: stop.signal, progress });
      } finally {
        forget();
      }
    },
  },
  {
    noun: 'audit',
    verb: 'prove',
    summary: 'Every event about one thing, with the proof that there is none else, as one file that verifies offline.',
    details: ['The whole history is in the file and proven; --from and --to say what is shown of it.'],
    example:
      'kmc audit prove --key key-01j... --from 2026-01-01T00:00:00Z --out key.json --key-file me.key.pem --cert me.crt.pem',
    options: { ...HISTORY_OPTIONS, out: { type: 'string', value: 'FILE', required: true, help: 'the new file' } },
    run: async (input, context) => await runAuditProve(await context.client(), input, waitSeconds),
  },
  {
    noun: 'audit',
    verb: 'pull',
    summary: `Copies the audit log of a service into a new folder and verifies it. ${EXIT_CODES}`,
    example: 'kmc audit pull copy-2026-11 --url https://kmc.example.org --key auditor.key.pem --cert auditor.crt.pem',
    positionals: ['DIR'],
    options: {
      ...VERIFY_OPTIONS,
      cosigned: { type: 'string', value: 'N', help: 'up to the newest checkpoint that N witnesses have cosigned' },
    },
    async run(input, context) {
      const progress = (done: number, total: number): void => context.progress('audit pull', done, total);
      const cosigned = input.text('cosigned');
      const options = { ...verifyOptions(input), ...(cosigned === undefined ? {} : { cosigned }) };
      return outcomeOf(await runAuditPull(await context.client(), options, progress));
    },
  },
];

async function waitSeconds(seconds: number): Promise<void> {
  await new Promise<void>((resolve) => setTimeout(resolve, seconds * 1000));
}

/** A folder is a copy of the log, a file is a history. */
async function verify(input: CommandInput): Promise<Outcome> {
  const options = verifyOptions(input);
  if (isHistoryFile(options.directory)) return verifyHistoryFile(options);
  if (input.flag('rederive-index')) return verifyCopyAndIndexes(options);
  return outcomeOf(await runAuditVerify(options));
}

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
