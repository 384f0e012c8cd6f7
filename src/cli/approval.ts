/** `kmc approval`: what is asked, a signed answer to it, and the proof, with or without a network. */
import { decodePemAll } from '../crypto/asn1/pem.ts';
import { readApprovalFile, verifyApprovalFile, type VerifiedApprovalFile } from '../domain/approval/file.ts';
import { requestDigest } from '../domain/approval/request.ts';
import { digestWords } from '../domain/digest-words.ts';
import { KmcError } from '../errors.ts';
import { everyItem, listOutcome, REQUEST_COLUMNS } from './answer-table.ts';
import { DECISION_COMMANDS } from './approval-decision.ts';
import { table, type Command, type CommandInput, type Outcome } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { readNamedFile } from './named-file.ts';
import { requestForPeople, requestNamed } from './shown-request.ts';

const OWN_ANCHOR_WARNING =
  'the administrator CA comes from the file itself: compare its fingerprint, or pin it with --anchor';

/** Whatever is wrong with the file, it does not hold: one exit code for all of it. */
function verifiedOrFault(text: string, anchors: readonly Buffer[]): VerifiedApprovalFile | KmcError {
  try {
    const own = () => readApprovalFile(text).chain.map((certificate) => Buffer.from(certificate, 'base64'));
    return verifyApprovalFile(text, { anchors: anchors.length > 0 ? anchors : own() });
  } catch (error) {
    if (error instanceof KmcError) return error;
    throw error;
  }
}

async function verify(input: CommandInput): Promise<Outcome> {
  const text = readNamedFile(input.positionals[0] ?? '', 'approval file').toString('utf8');
  const anchors = input
    .list('anchor')
    .flatMap((path) => decodePemAll(readNamedFile(path, 'anchor').toString('utf8'), 'CERTIFICATE'));
  const verified = verifiedOrFault(text, anchors);
  const warnings = anchors.length > 0 ? [] : [OWN_ANCHOR_WARNING];
  if (verified instanceof KmcError) {
    const { code, message } = verified;
    return {
      exitCode: EXIT.verificationFailed,
      json: { ok: false, code, message },
      text: `does not hold: ${code}: ${message}`,
    };
  }
  const counted = verified.evaluation.counted.map(({ person, role, unit }) => [person, role, unit]);
  return {
    json: {
      ok: true,
      digest: verified.requestDigest,
      op: verified.request.op,
      counted: verified.evaluation.counted,
      warnings,
    },
    text: [
      `holds: ${verified.request.op} on ${verified.request.target}`,
      verified.requestDigest,
      verified.words.join(' '),
      table(['APPROVER', 'ROLE', 'UNIT'], counted),
      ...warnings.map((warning) => `warning: ${warning}`),
    ].join('\n'),
  };
}

export const commands: readonly Command[] = [
  {
    noun: 'approval',
    verb: 'list',
    summary: 'Lists requests; with --for me those that wait for your decision.',
    example: 'kmc approval list --for me --key me.key.pem --cert me.crt.pem',
    options: { for: { type: 'string', value: 'me', help: 'only what you may still decide' } },
    async run(input, context) {
      const whom = input.text('for');
      if (whom !== undefined && whom !== 'me') throw new KmcError('E_USAGE', '--for is for "me" only.');
      const query = whom === undefined ? {} : { for: whom };
      return listOutcome(await everyItem(await context.client(), '/api/v1/requests', query), REQUEST_COLUMNS);
    },
  },
  {
    noun: 'approval',
    verb: 'show',
    summary: 'Shows what is asked, from a file or by its id, with the digest as words to be compared by voice.',
    example: 'kmc approval show request.json',
    positionals: ['FILE-OR-ID'],
    async run(input, context) {
      const request = await requestNamed(context, input.positionals[0] ?? '');
      const digest = requestDigest(request);
      return { json: { request, digest, words: digestWords(digest) }, text: requestForPeople(request) };
    },
  },
  ...DECISION_COMMANDS,
  {
    noun: 'approval',
    verb: 'verify',
    summary:
      'Proves an approval file offline, with the certificate of the administrator CA. Exit 4 when it does not hold.',
    example: 'kmc approval verify approvals/rq-01j....json --anchor admin-ca.pem',
    positionals: ['FILE'],
    options: {
      anchor: {
        type: 'string',
        value: 'FILE',
        multiple: true,
        help: 'certificate of the administrator CA (default: the one in the file, with a warning)',
      },
    },
    run: verify,
  },
];
