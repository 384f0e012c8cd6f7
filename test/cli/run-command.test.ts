import { expect } from 'chai';
import type { Command, CommandInput } from '../../src/cli/command.ts';
import { runCommand, type Noun } from '../../src/cli/run-command.ts';
import { KmcError, type ErrorCode } from '../../src/errors.ts';
import { NOUNS, runKmc } from './run-kmc.ts';

let seen: CommandInput | undefined;

const THING: Command = {
  noun: 'thing',
  verb: 'make',
  summary: 'Makes a thing.',
  example: 'kmc thing make NAME --size 3',
  positionals: ['NAME', 'OTHER?'],
  options: {
    size: { type: 'string', value: 'N', required: true, help: 'how large' },
    tag: { type: 'string', value: 'TAG', multiple: true, help: 'a mark' },
    quick: { type: 'boolean', help: 'without care' },
  },
  async run(input) {
    seen = input;
    const code = input.text('size');
    if (code?.startsWith('E_') === true) {
      throw new KmcError(code as ErrorCode, 'refused', { pointers: [{ pointer: '/size', detail: 'is wrong' }] });
    }
    if (code === 'bug') throw new TypeError('a defect');
    return { json: { made: input.positionals[0] }, text: 'made' };
  },
};

const TEST_NOUNS: Readonly<Record<string, Noun>> = {
  thing: { summary: 'things', load: () => Promise.resolve([THING]) },
  alone: { summary: 'no verbs', load: () => Promise.resolve([{ ...THING, noun: 'alone', verb: '' }]) },
};

const run = (...args: string[]) => runKmc(args, TEST_NOUNS);

describe('runCommand', () => {
  it('hands arguments, options, lists and flags to the command', async () => {
    const { code, out } = await run('thing', 'make', 'a', '--size', '3', '--tag', 'x', '--tag', 'y', '--quick');
    expect([code, out]).to.deep.equal([0, 'made\n']);
    expect(seen?.positionals).to.deep.equal(['a']);
    expect(seen?.required('size')).to.equal('3');
    expect(seen?.list('tag')).to.deep.equal(['x', 'y']);
    expect([seen?.flag('quick'), seen?.flag('json'), seen?.text('home')]).to.deep.equal([true, false, undefined]);
  });

  it('runs a noun without verbs', async () => {
    expect(await run('alone', 'a', '--size', '3')).to.include({ code: 0, out: 'made\n' });
    expect((await run('alone', '--help')).out).to.contain('kmc alone NAME [OTHER]');
  });

  const WRONG: readonly (readonly [what: string, args: readonly string[], says: string])[] = [
    ['nothing at all', [], 'a noun is needed'],
    ['an unknown noun', ['constructor'], 'there is no "constructor"'],
    ['an unknown verb', ['thing', 'break'], 'has no "break"'],
    ['no verb', ['thing'], 'needs a verb'],
    ['an option in the place of the verb', ['thing', '--size', '3'], 'needs a verb'],
    ['an unknown option', ['thing', 'make', 'a', '--size', '3', '--colour', 'red'], '--colour'],
    ['an option without its value', ['thing', 'make', 'a', '--size'], '--size'],
    ['a flag with a value', ['thing', 'make', 'a', '--size', '3', '--quick=yes'], '--quick'],
    ['a missing argument', ['thing', 'make', '--size', '3'], 'NAME is missing'],
    ['too many arguments', ['thing', 'make', 'a', 'b', 'c', '--size', '3'], 'too many arguments'],
    ['a missing required option', ['thing', 'make', 'a'], '--size is required'],
  ];
  for (const [what, args, says] of WRONG) {
    it(`refuses ${what} with exit code 1, in text and in JSON`, async () => {
      const text = await run(...args);
      expect(text).to.include({ code: 1, out: '' });
      expect(text.err).to.contain('E_USAGE').and.to.contain(says);
      const json = await run(...args, '--json');
      expect(json.code).to.equal(1);
      expect(json.json()).to.include({ ok: false, code: 'E_USAGE' });
    });
  }

  const CODES: readonly (readonly [ErrorCode, number])[] = [
    ['E_RATE', 2],
    ['E_SEALED', 2],
    ['E_PENDING', 3],
    ['E_QUORUM', 3],
    ['E_LINT', 4],
    ['E_POINT', 4],
    ['E_NOT_FOUND', 5],
    ['E_FORBIDDEN', 6],
    ['E_EXISTS', 7],
    ['E_STATE', 7],
    ['E_INTEGRITY', 70],
  ];
  for (const [error, exit] of CODES) {
    it(`ends ${error} with exit code ${exit}, one JSON value on standard output and the message on standard error`, async () => {
      const { code, err, json } = await run('thing', 'make', 'a', '--size', error, '--json');
      expect(code).to.equal(exit);
      expect(json()).to.deep.equal({
        ok: false,
        code: error,
        message: 'refused',
        errors: [{ pointer: '/size', detail: 'is wrong' }],
      });
      expect(err).to.contain(error).and.to.contain('/size: is wrong');
    });
  }

  it('ends a defect with exit code 70 and does not show its text as JSON', async () => {
    const { code, json } = await run('thing', 'make', 'a', '--size', 'bug', '--json');
    expect(code).to.equal(70);
    expect(JSON.stringify(json())).to.not.contain('a defect');
  });

  it('prints the outcome as one JSON value with --json, wherever it stands', async () => {
    for (const args of [
      ['--json', '--size', '3'],
      ['--size', '3', '--json'],
    ]) {
      expect((await run('thing', 'make', 'a', ...args)).json()).to.deep.equal({ made: 'a' });
    }
  });

  it('makes the context only for a command that runs', async () => {
    let made = 0;
    const io = { out: () => undefined, err: () => undefined, isTerminal: false };
    const contextOf = () => {
      made += 1;
      throw new KmcError('E_CONFIG', 'refused');
    };
    expect(await runCommand(TEST_NOUNS, ['thing', 'make', '--help'], io, contextOf)).to.equal(0);
    expect(await runCommand(TEST_NOUNS, ['thing', 'make'], io, contextOf)).to.equal(1);
    expect(made).to.equal(0);
    expect(await runCommand(TEST_NOUNS, ['thing', 'make', 'a', '--size', '3'], io, contextOf)).to.equal(2);
    expect(made).to.equal(1);
  });

  it('shows the nouns, and the verbs of a noun', async () => {
    for (const args of [['--help'], ['help']]) {
      const { code, out } = await run(...args);
      expect(code).to.equal(0);
      expect(out).to.contain('things').and.to.contain('Exit codes');
    }
    expect((await run('thing', '--help')).out).to.contain('Makes a thing.');
    expect((await run('thing', '--help', '--json')).json()['help']).to.contain('Makes a thing.');
  });

  it('shows options, defaults and an example for every verb of the product', async () => {
    for (const [name, noun] of Object.entries(NOUNS)) {
      for (const command of await noun.load()) {
        const line = command.verb === '' ? [name] : [name, command.verb];
        const { code, out } = await runKmc([...line, '--help']);
        expect(code, line.join(' ')).to.equal(0);
        expect(out).to.contain(`Example:\n  ${command.example}`).and.to.contain('--json');
        expect(command.example).to.match(new RegExp(`^kmc ${line.join(' ')}`));
        for (const option of Object.keys(command.options ?? {})) expect(out).to.contain(`--${option}`);
      }
    }
  });
});
