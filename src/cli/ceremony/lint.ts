import { lintCeremonyFile } from '../../config/ceremony-file.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { readNamedFile } from '../named-file.ts';
import { ceremonyPolicies } from './ceremony-input.ts';

export const lintCommand: Command = {
  noun: 'ceremony',
  verb: 'lint',
  summary: 'Checks a ceremony file against every rule; reads nothing but the file and the policies.',
  example: 'kmc ceremony lint ceremonies/2026-11-sm2-root.yaml',
  positionals: ['FILE'],
  async run(input, context) {
    const [path = ''] = input.positionals;
    const facts = { policies: ceremonyPolicies(context), environment: context.environment.environment };
    const findings = lintCeremonyFile(readNamedFile(path, 'ceremony file'), facts);
    return {
      exitCode: findings.length === 0 ? EXIT.ok : EXIT.verificationFailed,
      json: { ok: findings.length === 0, findings },
      text:
        findings.length === 0
          ? 'no fault found'
          : findings.map(({ line, rule, message }) => `${path}:${line}: ${message} (${rule})`).join('\n'),
    };
  },
};
