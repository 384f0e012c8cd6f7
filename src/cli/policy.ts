/** `kmc policy`: the policy files before and after they are in force. */
import { lintPolicies, loadPolicies, type Finding } from '../config/policies.ts';
import type { Environment } from '../config/environment.ts';
import { policyChanges, policyChangeText, type PolicyChange } from '../domain/policy-diff.ts';
import { policyBody, policyBodyDigest, policyDigest } from '../domain/policy.ts';
import { isObject, isSignedObject, type SignedObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { answerText } from './answer-table.ts';
import { table, type Command, type CommandContext, type CommandInput, type Outcome } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { propose, REASON } from './propose.ts';
import { shownText } from './shown-value.ts';

function rendered(findings: readonly Finding[]): string {
  if (findings.length === 0) return 'no findings';
  return table(
    ['FILE', 'LINE', 'RULE', 'SEVERITY', 'MESSAGE'],
    findings.map(({ file, line, rule, severity, message }) => [file, String(line), rule, severity, message]),
  );
}

interface PolicyBody {
  readonly digest: string;
  readonly version: string;
  readonly policy: SignedObject;
}

function policyIn(folder: string, { environment }: Environment): PolicyBody {
  const { set } = loadPolicies(folder, environment);
  return { digest: policyDigest(set), version: set.version, policy: policyBody(set) };
}

/** The set in force, as the service gives it; its digest is computed here. @throws KmcError E_SIGNATURE, E_SCHEMA. */
async function policyInForce(context: CommandContext): Promise<PolicyBody> {
  const answer = await (await context.client()).json('GET', '/api/v1/policies/in-force');
  const policy = isObject(answer) ? answer['policy'] : undefined;
  if (!isSignedObject(policy)) throw new KmcError('E_SCHEMA', 'The service answered with no policy set.');
  const digest = policyBodyDigest(policy);
  if (digest === answerText(answer, 'digest')) return { digest, version: answerText(answer, 'version'), policy };
  throw new KmcError('E_SIGNATURE', 'The digest that the service states is not that of its policy set.');
}

function changesText(changes: readonly PolicyChange[]): string {
  if (changes.length === 0) return 'no rule changes';
  const lowered = changes.filter(({ effect }) => effect === 'lowered').length;
  return [
    ...changes.map((change) => shownText(policyChangeText(change))),
    '',
    `${changes.length} rules change, ${lowered} of them protect less than before`,
  ].join('\n');
}

async function diff(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const { environment } = context;
  const from = input.text('from');
  const before = from === undefined ? await policyInForce(context) : policyIn(from, environment);
  const after = policyIn(input.positionals[0] ?? environment.policies, environment);
  const changes = policyChanges(before.policy, after.policy);
  const named = ({ digest, version }: PolicyBody) => ({ digest, version });
  return {
    json: { before: named(before), after: named(after), changes },
    text: [
      `from policy ${before.version}  ${before.digest}`,
      `to policy ${after.version}  ${after.digest}`,
      '',
      changesText(changes),
    ].join('\n'),
  };
}

async function proposeChange(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const { environment } = context;
  const after = policyIn(input.positionals[0] ?? environment.policies, environment);
  const changes = policyChanges((await policyInForce(context)).policy, after.policy);
  const { json, text } = await propose(context, {
    op: 'policy.change',
    targetId: 'policy-set',
    params: { ...after, changes: changes.map(policyChangeText) },
    reason: input.required('reason'),
  });
  return { json, text: `${text}\n\n${changesText(changes)}` };
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
  {
    noun: 'policy',
    verb: 'diff',
    summary: 'Shows what policy files would change, rule by rule, against the policy in force; a lowering as one.',
    example: 'kmc policy diff policies --key me.key.pem --cert me.crt.pem',
    positionals: ['DIR?'],
    options: { from: { type: 'string', value: 'DIR', help: 'compare with these files, without the service' } },
    run: diff,
  },
  {
    noun: 'policy',
    verb: 'propose',
    summary: 'Proposes to put policy files in force: approvers sign the whole set and what it changes.',
    example: 'kmc policy propose policies --reason "a fourth approval" --key me.key.pem --cert me.crt.pem',
    positionals: ['DIR?'],
    options: { reason: REASON },
    run: proposeChange,
  },
];
