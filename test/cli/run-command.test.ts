import { expect } from 'chai';
import type { Command, CommandInput } from '../../src/cli/command.ts';
import { exitCodeOf } from '../../src/cli/exit-codes.ts';
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

  it('keeps the summaries of a noun in one column, however long a verb is', async () => {
    const verbs = ['make', 'attest-everything'].map((verb) => ({ ...THING, verb }));
    const { out } = await runKmc(['wide', '--help'], { wide: { summary: 'wide', load: () => Promise.resolve(verbs) } });
    const columns = out.split('\n').map((line) => line.indexOf(THING.summary));
    expect(columns.filter((column) => column >= 0)).to.deep.equal([20, 20]);
  });

  it('takes common options before the noun, with and without a value', async () => {
    for (const before of [['--json'], ['--home', 'x', '--json'], ['--json', '--home=x']]) {
      const { code, json } = await run(...before, 'thing', 'make', 'a', '--size', '3');
      expect(code).to.equal(0);
      expect(json()).to.deep.equal({ made: 'a' });
      expect(seen?.text('home')).to.equal(before.length === 1 ? undefined : 'x');
    }
    expect((await run('--json', 'alone', 'a', '--size', '3')).json()).to.deep.equal({ made: 'a' });
    expect((await run('--json', '--help')).json()['help']).to.contain('Exit codes');
    expect((await run('--help', 'thing')).out).to.contain('Makes a thing.');
    expect((await run('--help', 'thing', 'make')).out).to.contain('how large');
  });

  it('hands --config to the settings', async () => {
    const { code, err } = await run('thing', 'make', 'a', '--size', '3', '--config', '/no/such/file.yaml');
    expect(code).to.equal(2);
    expect(err).to.contain('E_CONFIG').and.to.contain('--config');
  });

  it('tells its version in text and in JSON', async () => {
    expect(await run('--version')).to.include({ code: 0, out: 'kmc 1.2.3\n' });
    expect((await run('--version', '--json')).json()).to.deep.equal({ version: '1.2.3' });
    expect((await run('thing', '--version')).code).to.equal(1);
  });

  const WRONG: readonly (readonly [what: string, args: readonly string[], says: string])[] = [
    ['nothing at all', [], 'a noun is needed'],
    ['an unknown noun', ['constructor'], 'there is no "constructor"'],
    ['an unknown verb', ['thing', 'break'], 'has no "break"'],
    ['no verb', ['thing'], 'needs a verb'],
    ['an option in the place of the verb', ['thing', '--size', '3'], 'needs a verb'],
    ['an unknown option', ['thing', 'make', 'a', '--size', '3', '--colour', 'red'], 'there is no option --colour (see'],
    ['an unknown letter', ['thing', 'make', 'a', '--size', '3', '-q'], 'there is no option -q (see'],
    ['an option without its value', ['thing', 'make', 'a', '--size'], '--size needs a value (see'],
    ['an option in the place of a value', ['thing', 'make', 'a', '--size', '--quick'], 'written --size=VALUE'],
    ['a flag with a value', ['thing', 'make', 'a', '--size', '3', '--quick=yes'], '--quick takes no value'],
    ['an option of a command before the noun', ['--size', '3', 'thing', 'make'], 'no option --size before the noun'],
    ['a common option without its value', ['--home'], '--home needs a value'],
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

  it('ends what the service says of the request as a refusal, and the same code of a file here as failed', () => {
    for (const code of ['E_SCHEMA', 'E_JSON'] as const) {
      expect(exitCodeOf(new KmcError(code, 'refused', { remote: true })), code).to.equal(2);
      expect(exitCodeOf(new KmcError(code, 'refused')), code).to.equal(4);
    }
    expect(exitCodeOf(new KmcError('E_SIGNATURE', 'refused', { remote: true }))).to.equal(4);
    // What ends the service is internal; what a service answers is a refusal.
    expect(exitCodeOf(new KmcError('E_AUDIT', 'altered', { fatal: true }))).to.equal(70);
    expect(exitCodeOf(new KmcError('E_AUDIT', 'not recorded'))).to.equal(70);
    expect(exitCodeOf(new KmcError('E_STORAGE', 'the medium failed', { fatal: true }))).to.equal(70);
    expect(exitCodeOf(new KmcError('E_AUDIT', 'not recorded', { remote: true }))).to.equal(2);
    expect(exitCodeOf(new KmcError('E_NOT_FOUND', 'refused', { remote: true }))).to.equal(5);
  });

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
    const program = { nouns: TEST_NOUNS, version: '1.2.3', contextOf };
    expect(await runCommand(program, ['thing', 'make', '--help'], io)).to.equal(0);
    expect(await runCommand(program, ['thing', 'make'], io)).to.equal(1);
    expect(made).to.equal(0);
    expect(await runCommand(program, ['thing', 'make', 'a', '--size', '3'], io)).to.equal(2);
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
