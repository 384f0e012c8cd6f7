import { digestWords } from '../../domain/digest-words.ts';
import type { PlannedCeremony } from '../../flows/ceremonies/plan-ceremony.ts';
import { pinSoftware } from '../../config/ceremony-file.ts';
import type { Command, CommandContext } from '../command.ts';
import { readNamedFile, replaceNamedFile } from '../named-file.ts';
import { INPUTS_OPTION, inputsBeside, makePlan, PREVIOUS_OPTION, readCeremony } from './ceremony-input.ts';

export const planCommand: Command = {
  noun: 'ceremony',
  verb: 'plan',
  summary: 'Shows exactly what a ceremony will do, and its plan hash; writes nothing.',
  example:
    'kmc ceremony plan ceremonies/2026-11-sm2-root.yaml --previous keystore/dev/DEVELOPMENT-ONLY/ceremonies/kmc-init',
  positionals: ['FILE'],
  details: ['With --pin it first writes the digests of this program, of node and of the lock file into FILE.'],
  options: {
    inputs: INPUTS_OPTION,
    previous: PREVIOUS_OPTION,
    pin: { type: 'boolean', help: 'write what the tool must be into FILE, and plan that' },
  },
  async run(input, context) {
    const [path = ''] = input.positionals;
    if (input.flag('pin')) pin(context, path);
    const planned = makePlan(context, input, readCeremony(context, path), inputsBeside(path));
    return { json: { planHash: planned.hash, plan: planned.plan }, text: planText(planned) };
  },
};

/** Puts the digests of the tool into the file, in one step. */
function pin(context: CommandContext, path: string): void {
  const { bundleSm3, nodeSm3, lockSm3 } = context.ceremonySite().tool();
  const bytes = readNamedFile(path, 'ceremony file');
  replaceNamedFile(path, pinSoftware(bytes, { bundle: bundleSm3, node: nodeSm3, lock: lockSm3 }));
}

/** The plan for people: the hash with its words, the tool, the inputs, the steps with what each signs and writes. */
function planText({ plan, hash }: PlannedCeremony): string {
  return [
    `ceremony   ${plan.ceremony} (${plan.type}, ${plan.environment}, instance ${plan.instance})`,
    `plan hash  ${hash}`,
    `           ${digestWords(hash).join(' ')}`,
    `policy     ${plan.policyDigest}`,
    `tool       ${plan.tool.bundleSm3}`,
    `           ${digestWords(plan.tool.bundleSm3).join(' ')}`,
    `           ${plan.tool.bundleSha256}, commit ${plan.tool.commit}`,
    `           ${plan.tool.os}, lock file ${plan.tool.lockSm3}`,
    `           node ${plan.tool.node}, openssl ${plan.tool.openssl}, engine ${plan.tool.engine}`,
    ...plan.inputs.map((one) => `input      ${one.name} ${one.sm3}${one.secret ? ' (private key, not copied)' : ''}`),
    '',
    ...plan.steps.flatMap((step) => [
      `${step.id}  ${step.text}`,
      ...Object.entries(step.signs ?? {}).map(([name, value]) => `      ${name}: ${value}`),
      ...step.outputs.map((name) => `      writes outputs/${name}`),
      ...(step.audits.length === 0 ? [] : [`      audit: ${step.audits.join(', ')}`]),
    ]),
  ].join('\n');
}
