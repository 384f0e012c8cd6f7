/** Finds the command of an argument list, parses its options, runs it, prints its outcome. */
import { KmcError } from '../errors.ts';
import { commandInput, splitArguments, usage } from './command-input.ts';
import type { Command, CommandContext, CommandInput, Io, Outcome } from './command.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { helpOfCommand, helpOfNoun, helpOfProgram } from './help.ts';

/** Loads the commands of one noun: nouns are loaded one by one, so that `--help` starts quickly. */
export type CommandLoader = () => Promise<readonly Command[]>;

export interface Noun {
  readonly summary: string;
  readonly load: CommandLoader;
}

export interface Program {
  readonly nouns: Readonly<Record<string, Noun>>;
  readonly version: string;
  /** Makes the context of the one command that runs. */
  readonly contextOf: (input: CommandInput, json: boolean) => CommandContext | Promise<CommandContext>;
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
    const { code, message, pointers: errors, rule } = known;
    io.out(JSON.stringify({ ok: false, code, message, errors, ...(rule === undefined ? {} : { rule }) }));
  }
  return exitCodeOf(known);
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

function printVersion(io: Io, json: boolean, version: string): number {
  io.out(json ? JSON.stringify({ version }) : `kmc ${version}`);
  return EXIT.ok;
}

/** What is asked of the program as a whole, without a noun. @throws KmcError E_USAGE when nothing is. */
function runWithoutNoun({ nouns }: Program, io: Io, json: boolean, wantsHelp: boolean): number {
  const text = helpOfProgram(nouns);
  if (wantsHelp) return printHelp(io, json, text);
  io.err(text);
  throw usage('a noun is needed');
}

async function run(program: Program, args: readonly string[], io: Io, json: boolean): Promise<number> {
  const asked = args.filter((arg) => arg !== '--json');
  if (asked.length === 1 && asked[0] === '--version') return printVersion(io, json, program.version);
  const { before, rest } = splitArguments(args);
  const [nounName, verb] = rest;
  if (nounName === undefined || nounName === 'help') {
    return runWithoutNoun(program, io, json, nounName === 'help' || before.includes('--help'));
  }
  const noun = Object.hasOwn(program.nouns, nounName) ? program.nouns[nounName] : undefined;
  if (noun === undefined) throw usage(`there is no "${nounName}": see kmc --help`);
  const commands = await noun.load();
  const hasVerbs = commands.every((command) => command.verb !== '');
  const wantsHelpOfNoun = isHelp(verb) || (verb === undefined && before.includes('--help'));
  if (hasVerbs && wantsHelpOfNoun) return printHelp(io, json, helpOfNoun(nounName, commands));
  const command = commandOf(nounName, commands, verb);
  const input = commandInput(command, [...before, ...rest.slice(hasVerbs ? 2 : 1)]);
  if (input.flag('help')) return printHelp(io, json, helpOfCommand(command));
  const outcome = await command.run(input, await program.contextOf(input, json));
  printOutcome(io, json, outcome);
  return outcome.exitCode ?? EXIT.ok;
}

/**
 * Runs one command line. With `--json` exactly one JSON value goes to standard output, whatever happens.
 * @param args the arguments after the program's name.
 * @returns the exit code (CONTRACT section 3).
 */
export async function runCommand(program: Program, args: readonly string[], io: Io): Promise<number> {
  const json = args.includes('--json');
  try {
    return await run(program, args, io, json);
  } catch (error) {
    return printError(io, json, error);
  }
}
