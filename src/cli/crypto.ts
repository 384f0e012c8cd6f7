/** `kmc crypto`: what an application's operator does with managed keys. Files of any size stay on this machine. */
import { statSync } from 'node:fs';
import { decryptFile, encryptFile, rewrapFile, type DataFilePaths, type DataFilePorts } from '../agent/data-file.ts';
import type { DataContext } from '../domain/data-context.ts';
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { answerText } from './answer-table.ts';
import type { Command, CommandContext, CommandInput, OptionSpec, Outcome } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { readNamedFile, writeNewFile } from './named-file.ts';

const KEY: OptionSpec = { type: 'string', value: 'ID', required: true, help: 'the managed key, mk-...' };
const OUT: OptionSpec = { type: 'string', value: 'FILE', required: true, help: 'new file for the result' };
const CONTEXT: OptionSpec = {
  type: 'string',
  value: 'NAME=TEXT',
  multiple: true,
  help: 'what the result is bound to; stands readable in the file',
};
const SIGNER = '--key app.key.pem --cert app.crt.pem';

/** @throws KmcError E_USAGE. */
function contextOf(input: CommandInput): DataContext {
  const members = input.list('context').map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw new KmcError('E_USAGE', '--context is NAME=TEXT.');
    return [text.slice(0, at), text.slice(at + 1)] as const;
  });
  return Object.fromEntries(members);
}

async function portsOf(context: CommandContext, step: string): Promise<DataFilePorts> {
  const { engine } = context;
  const progress = (done: number, total: number): void => context.progress(step, done, total);
  return { client: await context.client(), engine, progress };
}

function pathsOf(input: CommandInput): DataFilePaths {
  return { from: input.positionals[0] ?? '', to: input.required('out') };
}

function written({ to }: DataFilePaths): Outcome {
  const { size } = statSync(to);
  return { json: { file: to, octets: String(size) }, text: `${to}: ${size} octets` };
}

/** A file to a file. */
function fileCommand(
  verb: string,
  summary: string,
  options: Command['options'],
  work: (ports: DataFilePorts, paths: DataFilePaths, input: CommandInput) => Promise<void>,
): Command {
  const more = verb === 'encrypt' ? '--key-id mk-01j... --context case=7 ' : '';
  return {
    noun: 'crypto',
    verb,
    summary,
    example: `kmc crypto ${verb} report.pdf ${more}--out report.out ${SIGNER}`,
    positionals: ['FILE'],
    options: { ...options, out: OUT },
    async run(input, context) {
      const paths = pathsOf(input);
      await work(await portsOf(context, verb), paths, input);
      return written(paths);
    },
  };
}

async function post(context: CommandContext, operation: string, body: object): Promise<unknown> {
  return await (await context.client()).json('POST', `/api/v1/crypto/${operation}`, body);
}

function messageOf(input: CommandInput): string {
  return readNamedFile(input.positionals[0] ?? '', 'file').toString('base64');
}

/** A signature or a MAC over a file of at most 64 KiB. */
function proofCommand(verb: 'sign' | 'mac', member: 'signature' | 'mac', summary: string): Command {
  return {
    noun: 'crypto',
    verb,
    summary,
    example: `kmc crypto ${verb} order.json --key-id mk-01j... --out order.${member} ${SIGNER}`,
    positionals: ['FILE'],
    options: { 'key-id': KEY, out: OUT },
    async run(input, context) {
      const answer = await post(context, verb, { key: input.required('key-id'), message: messageOf(input) });
      const proof = Buffer.from(answerText(answer, member), 'base64');
      writeNewFile(input.required('out'), proof);
      return { json: answer, text: `${input.required('out')} by version ${answerText(answer, 'version')}` };
    },
  };
}

async function verify(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const members = ['signature', 'mac'].flatMap((name) => {
    const path = input.text(name);
    return path === undefined ? [] : [[name, readNamedFile(path, name).toString('base64')] as const];
  });
  const version = input.text('key-version');
  const answer = await post(context, 'verify', {
    key: input.required('key-id'),
    message: messageOf(input),
    ...Object.fromEntries(members),
    ...(version === undefined ? {} : { version }),
  });
  const valid = isObject(answer) && answer['valid'] === true;
  return {
    exitCode: valid ? EXIT.ok : EXIT.verificationFailed,
    json: answer,
    text: valid ? 'valid' : 'not valid',
  };
}

export const commands: readonly Command[] = [
  fileCommand(
    'encrypt',
    'Encrypts a file of any size here, under a data key that the service wraps (grant data-key).',
    { 'key-id': KEY, context: CONTEXT },
    (ports, paths, input) => encryptFile(ports, paths, input.required('key-id'), contextOf(input)),
  ),
  fileCommand(
    'decrypt',
    'Decrypts such a file; it appears when all of it was verified (grant decrypt).',
    {},
    decryptFile,
  ),
  fileCommand(
    'rewrap',
    'Has the data key of such a file wrapped anew under the current version of its key (grant rewrap).',
    {},
    rewrapFile,
  ),
  proofCommand('sign', 'signature', 'Signs a file of at most 64 KiB with a managed key: SM2 with SM3, raw r||s.'),
  proofCommand('mac', 'mac', 'Computes HMAC-SM3 over a file of at most 64 KiB with a managed key.'),
  {
    noun: 'crypto',
    verb: 'verify',
    summary: 'Verifies a signature or a MAC of a managed key. Exit 4 when it does not hold.',
    example: `kmc crypto verify order.json --key-id mk-01j... --signature order.signature ${SIGNER}`,
    positionals: ['FILE'],
    options: {
      'key-id': KEY,
      signature: { type: 'string', value: 'FILE', help: 'raw r||s, 64 octets' },
      mac: { type: 'string', value: 'FILE', help: '32 octets' },
      'key-version': { type: 'string', value: 'N', help: 'version that made it (default: the current one)' },
    },
    run: verify,
  },
];
