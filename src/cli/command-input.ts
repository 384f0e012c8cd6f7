/** Argument lists: options before the noun, and what a command gets of the rest. */
import { parseArgs } from 'node:util';
import { KmcError } from '../errors.ts';
import type { Command, CommandInput, OptionSpec } from './command.ts';
import { GLOBAL_OPTIONS } from './global-options.ts';

/** `kmc NOUN VERB`, or `kmc NOUN` for a noun without verbs. */
export function nameOf(command: Command): string {
  return command.verb === '' ? `kmc ${command.noun}` : `kmc ${command.noun} ${command.verb}`;
}

/** An error of use: exit code 1. */
export function usage(message: string): KmcError {
  return new KmcError('E_USAGE', message);
}

export interface SplitArguments {
  /** Common options that stand before the noun, with their values. */
  readonly before: readonly string[];
  /** From the noun on. */
  readonly rest: readonly string[];
}

/** Takes the common options off the front. @throws KmcError E_USAGE for another option there, or one without its value. */
export function splitArguments(args: readonly string[]): SplitArguments {
  let at = 0;
  for (let arg = args[0]; arg?.startsWith('-') === true; arg = args[at]) {
    const [name = ''] = arg.replace(/^--?/, '').split('=', 1);
    const spec = arg.startsWith('--') && Object.hasOwn(GLOBAL_OPTIONS, name) ? GLOBAL_OPTIONS[name] : undefined;
    if (spec === undefined) throw usage(`there is no option ${arg} before the noun: see kmc --help`);
    at += spec.type === 'string' && !arg.includes('=') ? 2 : 1;
    if (at > args.length) throw usage(`--${name} needs a value: see kmc --help`);
  }
  return { before: args.slice(0, at), rest: args.slice(at) };
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

/** What is wrong with an option as it stands in the arguments; nothing when it is good. */
function optionFault(
  specs: Readonly<Record<string, OptionSpec>>,
  { name, rawName, value, inlineValue }: OptionToken,
): string | undefined {
  const spec = Object.hasOwn(specs, name) && rawName.startsWith('--') ? specs[name] : undefined;
  if (spec === undefined) return `there is no option ${rawName}`;
  if (spec.type === 'boolean') return value === undefined ? undefined : `--${name} takes no value`;
  if (value === undefined) return `--${name} needs a value`;
  const looksLikeOption = inlineValue !== true && value.startsWith('-') && value !== '-';
  return looksLikeOption
    ? `--${name} needs a value; one that begins with a hyphen is written --${name}=VALUE`
    : undefined;
}

/** Parses the arguments of a command, without noun and verb. @throws KmcError E_USAGE. */
export function commandInput(command: Command, args: readonly string[]): CommandInput {
  const specs = { ...GLOBAL_OPTIONS, ...command.options };
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { type, multiple }]) => [name, { type, multiple: multiple === true }]),
  );
  const see = `(see ${nameOf(command)} --help)`;
  const parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: false, tokens: true });
  for (const token of parsed.tokens) {
    const fault = token.kind === 'option' ? optionFault(specs, token) : undefined;
    if (fault !== undefined) throw usage(`${fault} ${see}`);
  }
  const { values, positionals }: { values: Readonly<Record<string, unknown>>; positionals: string[] } = parsed;
  const text = (name: string) => (typeof values[name] === 'string' ? values[name] : undefined);
  const input: CommandInput = {
    text,
    required(name) {
      const value = text(name);
      if (value === undefined || value === '') throw usage(`--${name} is required ${see}`);
      return value;
    },
    list: (name) => (Array.isArray(values[name]) ? values[name].filter((v) => typeof v === 'string') : []),
    flag: (name) => values[name] === true,
    setting: (name) => (Object.hasOwn(command.options ?? {}, name) ? undefined : text(name)),
    positionals,
  };
  if (!input.flag('help')) requireComplete(command, input, see);
  return input;
}

/** @throws KmcError E_USAGE for a missing or superfluous argument, or a missing option. */
function requireComplete(command: Command, input: CommandInput, see: string): void {
  const { positionals } = input;
  const names = command.positionals ?? [];
  const least = names.filter((name) => !name.endsWith('?')).length;
  if (positionals.length < least) throw usage(`${names[positionals.length]} is missing ${see}`);
  const most = names.at(-1)?.includes('...') ? Number.POSITIVE_INFINITY : names.length;
  if (positionals.length > most) throw usage(`too many arguments ${see}`);
  for (const [name, spec] of Object.entries(command.options ?? {})) {
    const given = spec.multiple === true ? input.list(name).length > 0 : input.text(name) !== undefined;
    if (spec.required === true && !given) throw usage(`--${name} is required ${see}`);
  }
}
