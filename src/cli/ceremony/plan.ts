import { digestWords } from '../../domain/digest-words.ts';
import type { PlannedCeremony } from '../../flows/ceremonies/plan-ceremony.ts';
import type { Command } from '../command.ts';
import { INPUTS_OPTION, inputsBeside, makePlan, PREVIOUS_OPTION, readCeremony } from './ceremony-input.ts';

export const planCommand: Command = {
  noun: 'ceremony',
  verb: 'plan',
  summary: 'Shows exactly what a ceremony will do, and its plan hash; writes nothing.',
  example:
    'kmc ceremony plan ceremonies/2026-11-sm2-root.yaml --previous keystore/dev/DEVELOPMENT-ONLY/ceremonies/kmc-init',
  positionals: ['FILE'],
  options: { inputs: INPUTS_OPTION, previous: PREVIOUS_OPTION },
  async run(input, context) {
    const [path = ''] = input.positionals;
    const planned = makePlan(context, input, readCeremony(context, path), inputsBeside(path));
    return { json: { planHash: planned.hash, plan: planned.plan }, text: planText(planned) };
  },
};

/** The plan for people: the hash with its words, the tool, the inputs, the steps with what each signs and writes. */
export function planText({ plan, hash }: PlannedCeremony): string {
  return [
    `ceremony   ${plan.ceremony} (${plan.type}, ${plan.environment}, instance ${plan.instance})`,
    `plan hash  ${hash}`,
    `           ${digestWords(hash).join(' ')}`,
    `policy     ${plan.policyDigest}`,
    `tool       ${plan.tool.bundleSm3}`,
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
