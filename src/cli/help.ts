/** The texts of `--help`, from the tables of nouns and commands. */
import { nameOf } from './command-input.ts';
import type { Command, OptionSpec } from './command.ts';
import { GLOBAL_OPTIONS } from './global-options.ts';

function optionLine(name: string, spec: OptionSpec): string {
  const head = spec.type === 'string' ? `--${name} ${spec.value ?? 'VALUE'}` : `--${name}`;
  return `  ${head.padEnd(28)} ${spec.help}${spec.required === true ? ' (required)' : ''}`;
}

/** `kmc --help` */
export function helpOfProgram(nouns: Readonly<Record<string, { readonly summary: string }>>): string {
  const lines = Object.entries(nouns).map(([noun, { summary }]) => `  ${noun.padEnd(14)} ${summary}`);
  return [
    'kmc: key management centre (密钥管理中心)',
    '',
    'usage: kmc NOUN VERB [arguments] [options]      kmc NOUN --help      kmc NOUN VERB --help      kmc --version',
    '',
    ...lines,
    '',
    'Exit codes: 0 ok, 1 usage, 2 refused, 3 waits for approval, 4 verification failed, 5 not found, 6 not allowed,',
    '7 conflict or existing output, 8 partly done, 70 internal. `kmc audit verify` has codes of its own: see its help.',
  ].join('\n');
}

/** `kmc NOUN --help` */
export function helpOfNoun(noun: string, commands: readonly Command[]): string {
  const width = Math.max(14, ...commands.map((c) => c.verb.length));
  return [`kmc ${noun}`, '', ...commands.map((c) => `  ${c.verb.padEnd(width)} ${c.summary}`)].join('\n');
}

/** `kmc NOUN VERB --help` */
export function helpOfCommand(command: Command): string {
  const positionals = (command.positionals ?? []).map((p) => (p.endsWith('?') ? `[${p.slice(0, -1)}]` : p)).join(' ');
  return [
    `${nameOf(command)} ${positionals}`.trimEnd(),
    '',
    command.summary,
    '',
    ...Object.entries(command.options ?? {}).map(([name, spec]) => optionLine(name, spec)),
    '',
    'Common options:',
    ...Object.entries(GLOBAL_OPTIONS).map(([name, spec]) => optionLine(name, spec)),
    '',
    ...(command.details === undefined ? [] : [...command.details, '']),
    'Example:',
    `  ${command.example}`,
  ].join('\n');
}
