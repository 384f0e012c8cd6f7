/** Finds the command of an argument list, parses its options, runs it, prints its outcome. */
import { parseArgs } from 'node:util';
import { KmcError } from '../errors.ts';
import type { Command, CommandContext, CommandInput, Io, OptionSpec, Outcome } from './command.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { GLOBAL_OPTIONS } from './global-options.ts';

/** Loads the commands of one noun: nouns are loaded one by one, so that `--help` starts quickly. */
export type CommandLoader = () => Promise<readonly Command[]>;

export interface Noun {
  readonly summary: string;
  readonly load: CommandLoader;
}

type ContextOf = (input: CommandInput, json: boolean) => CommandContext | Promise<CommandContext>;

function optionLine(name: string, spec: OptionSpec): string {
  const head = spec.type === 'string' ? `--${name} ${spec.value ?? 'VALUE'}` : `--${name}`;
  return `  ${head.padEnd(28)} ${spec.help}${spec.required === true ? ' (required)' : ''}`;
}

function helpOfProgram(nouns: Readonly<Record<string, Noun>>): string {
  const lines = Object.entries(nouns).map(([noun, { summary }]) => `  ${noun.padEnd(14)} ${summary}`);
  return [
    'kmc: key management centre (密钥管理中心)',
    '',
    'usage: kmc NOUN VERB [arguments] [options]      kmc NOUN --help      kmc NOUN VERB --help',
    '',
    ...lines,
    '',
    'Exit codes: 0 ok, 1 usage, 2 refused, 3 waits for approval, 4 verification failed, 5 not found, 6 not allowed,',
    '7 conflict or existing output, 8 partly done, 70 internal. `kmc audit verify` has codes of its own: see its help.',
  ].join('\n');
}

function nameOf(command: Command): string {
  return command.verb === '' ? `kmc ${command.noun}` : `kmc ${command.noun} ${command.verb}`;
}

function helpOfNoun(noun: string, commands: readonly Command[]): string {
  return [`kmc ${noun}`, '', ...commands.map((c) => `  ${c.verb.padEnd(14)} ${c.summary}`)].join('\n');
}

function helpOfCommand(command: Command): string {
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
    'Example:',
    `  ${command.example}`,
  ].join('\n');
}

function usage(message: string): KmcError {
  return new KmcError('E_USAGE', message);
}

function inputOf(command: Command, args: readonly string[]): CommandInput {
  const specs = { ...GLOBAL_OPTIONS, ...command.options };
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { type, multiple }]) => [name, { type, multiple: multiple === true }]),
  );
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (cause) {
    throw usage(`${cause instanceof Error ? cause.message : 'bad options'} (see ${nameOf(command)} --help)`);
  }
  const { values, positionals } = parsed;
  const text = (name: string) => (typeof values[name] === 'string' ? values[name] : undefined);
  const input: CommandInput = {
    text,
    required(name) {
      const value = text(name);
      if (value === undefined || value === '') throw usage(`--${name} is required (see ${nameOf(command)} --help)`);
      return value;
    },
    list: (name) => (Array.isArray(values[name]) ? values[name].filter((v) => typeof v === 'string') : []),
    flag: (name) => values[name] === true,
    positionals,
  };
  if (!input.flag('help')) requireComplete(command, input);
  return input;
}

/** @throws KmcError E_USAGE for a missing or superfluous argument, or a missing option. */
function requireComplete(command: Command, input: CommandInput): void {
  const { positionals } = input;
  const names = command.positionals ?? [];
  const see = `(see ${nameOf(command)} --help)`;
  const least = names.filter((name) => !name.endsWith('?')).length;
  if (positionals.length < least) throw usage(`${names[positionals.length]} is missing ${see}`);
  if (positionals.length > names.length) throw usage(`too many arguments ${see}`);
  for (const [name, spec] of Object.entries(command.options ?? {})) {
    const given = spec.multiple === true ? input.list(name).length > 0 : input.text(name) !== undefined;
    if (spec.required === true && !given) throw usage(`--${name} is required ${see}`);
  }
}

function printOutcome(io: Io, json: boolean, outcome: Outcome): void {
  if (json) io.out(JSON.stringify(outcome.json));
  else if (outcome.text !== '') io.out(outcome.text);
}

function printHelp(io: Io, json: boolean, text: string): number {
  io.out(json ? JSON.stringify({ help: text }) : text);
  return EXIT.ok;
}

function printError(io: Io, json: boolean, error: unknown): number {
  const known = error instanceof KmcError ? error : new KmcError('E_INTERNAL', 'an internal fault stopped the command');
  io.err(`kmc: ${known.code}: ${known.message}`);
  for (const { pointer, detail } of known.pointers) io.err(`  ${pointer}: ${detail}`);
  if (!(error instanceof KmcError) && error instanceof Error && error.stack !== undefined) io.err(error.stack);
  if (json) {
    io.out(JSON.stringify({ ok: false, code: known.code, message: known.message, errors: known.pointers }));
  }
  return exitCodeOf(known.code);
}

function isHelp(word: string | undefined): boolean {
  return word === '--help' || word === 'help';
}

/** @throws KmcError E_USAGE. */
function commandOf(noun: string, commands: readonly Command[], verb: string | undefined): Command {
  const command = commands.find((candidate) => candidate.verb === '' || candidate.verb === verb);
  if (command !== undefined) return command;
  throw usage(
    verb === undefined || verb.startsWith('-')
      ? `kmc ${noun} needs a verb: see kmc ${noun} --help`
      : `kmc ${noun} has no "${verb}": see kmc ${noun} --help`,
  );
}

async function run(
  nouns: Readonly<Record<string, Noun>>,
  args: readonly string[],
  io: Io,
  json: boolean,
  contextOf: ContextOf,
): Promise<number> {
  const [nounName, verb] = args;
  if (nounName === undefined || isHelp(nounName)) {
    const text = helpOfProgram(nouns);
    if (nounName !== undefined) return printHelp(io, json, text);
    io.err(text);
    throw usage('a noun is needed');
  }
  const noun = Object.hasOwn(nouns, nounName) ? nouns[nounName] : undefined;
  if (noun === undefined) throw usage(`there is no "${nounName}": see kmc --help`);
  const commands = await noun.load();
  const hasVerbs = commands.every((command) => command.verb !== '');
  if (hasVerbs && isHelp(verb)) return printHelp(io, json, helpOfNoun(nounName, commands));
  const command = commandOf(nounName, commands, verb);
  const input = inputOf(command, args.slice(hasVerbs ? 2 : 1));
  if (input.flag('help')) return printHelp(io, json, helpOfCommand(command));
  const outcome = await command.run(input, await contextOf(input, json));
  printOutcome(io, json, outcome);
  return outcome.exitCode ?? EXIT.ok;
}

/**
 * Runs one command line. With `--json` exactly one JSON value goes to standard output, whatever happens.
 * @param args the arguments after the program's name.
 * @returns the exit code (CONTRACT section 3).
 */
export async function runCommand(
  nouns: Readonly<Record<string, Noun>>,
  args: readonly string[],
  io: Io,
  contextOf: ContextOf,
): Promise<number> {
  const json = args.includes('--json');
  try {
    return await run(nouns, args, io, json, contextOf);
  } catch (error) {
    return printError(io, json, error);
  }
}
