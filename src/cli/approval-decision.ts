/** `kmc approval sign` and `submit`: a decision made with the own key file, or by any other tool that holds the key. */
import { decodePem } from '../crypto/asn1/pem.ts';
import { parseStrictJson } from '../crypto/jcs.ts';
import { DECISIONS, decisionBytes, type DecisionName } from '../domain/approval/decision.ts';
import { requestDigest, type ApprovalRequest } from '../domain/approval/request.ts';
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { completeDecision } from '../flows/approvals/complete-decision.ts';
import { draftDecision, type DecisionChoice } from '../flows/approvals/draft-decision.ts';
import { signDecision } from '../flows/approvals/sign-decision.ts';
import type { Command, CommandContext, CommandInput, Outcome } from './command.ts';
import { readNamedFile, writeNewFile } from './named-file.ts';
import { requestForPeople, requestInFile, requestPath } from './shown-request.ts';

function decisionOf(input: CommandInput): DecisionName {
  const wanted = (input.text('decision') ?? 'APPROVE').toUpperCase();
  const decision = DECISIONS.find((known) => known === wanted);
  if (decision === undefined) throw new KmcError('E_USAGE', `--decision is one of: ${DECISIONS.join(', ')}`);
  return decision;
}

function choiceOf(input: CommandInput, request: ApprovalRequest): DecisionChoice {
  return {
    requestId: request.id,
    requestDigest: requestDigest(request),
    decision: decisionOf(input),
    role: input.required('role'),
    at: new Date(),
  };
}

function certificateOf(path: string | undefined, option: string): Buffer {
  if (path === undefined) throw new KmcError('E_USAGE', `This command needs --${option}.`);
  return decodePem(readNamedFile(path, 'certificate').toString('utf8'), 'CERTIFICATE');
}

/** Writes what another tool is to sign; the key is not needed here, only its certificate. */
function writeBytes(input: CommandInput, { environment }: CommandContext, file: string): Outcome {
  const request = requestInFile(input.positionals[0] ?? '');
  const body = draftDecision(certificateOf(environment.certificateFile, 'cert'), choiceOf(input, request));
  writeNewFile(file, decisionBytes(body));
  return {
    json: { body, bytes: file },
    text: [
      requestForPeople(request),
      `to be signed with SM2, ID 1234567812345678: ${file}`,
      `then: kmc approval submit ${file} --signature SIGNATURE-FILE`,
    ].join('\n\n'),
  };
}

async function sign(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const [bytesOut, out] = [input.text('bytes-out'), input.text('out')];
  if ((bytesOut === undefined) === (out === undefined)) {
    throw new KmcError('E_USAGE', 'Give one of --out (sign here, with --key) and --bytes-out (sign elsewhere).');
  }
  if (bytesOut !== undefined) return writeBytes(input, context, bytesOut);
  const request = requestInFile(input.positionals[0] ?? '');
  const { key, certificate } = await context.personalKey();
  const signed = await signDecision({ engine: context.engine, key, certificate }, choiceOf(input, request));
  writeNewFile(out ?? '', `${JSON.stringify(signed, null, 2)}\n`);
  return { json: signed, text: `${requestForPeople(request)}\n\n${signed.body.decision} signed: ${out}` };
}

function decisionToSubmit(input: CommandInput, { environment }: CommandContext): unknown {
  const bytes = readNamedFile(input.positionals[0] ?? '', 'decision');
  const signature = input.text('signature');
  if (signature === undefined) return parseStrictJson(bytes);
  const signer = input.text('signer-cert');
  return completeDecision({
    bytes,
    signature: readNamedFile(signature, 'signature'),
    certificate: certificateOf(signer ?? environment.certificateFile, 'signer-cert'),
  });
}

async function submit(input: CommandInput, context: CommandContext): Promise<Outcome> {
  const decision = decisionToSubmit(input, context);
  const body = isObject(decision) && isObject(decision['body']) ? decision['body'] : {};
  const id = typeof body['requestId'] === 'string' ? body['requestId'] : '';
  const answer = await (await context.client()).json('POST', requestPath(id, '/approvals'), decision);
  return { json: answer, text: `request ${id}: ${isObject(answer) ? String(answer['state']) : ''}` };
}

/** What another tool has to do with the file of --bytes-out. */
const ELSEWHERE = [
  'The file of --bytes-out holds "KMC-APPROVAL-V1", one zero octet and the decision as canonical JSON. The signature is',
  'SM2 with SM3 over all of it, ID 1234567812345678: a token that takes a digest is given SM3(Z || file). With openssl:',
  '  openssl pkeyutl -sign -inkey key.pem -in decision.bin -rawin -digest sm3 \\',
  '      -pkeyopt distid:1234567812345678 -out decision.sig',
];

/** The two commands that make and hand in a decision. */
export const DECISION_COMMANDS: readonly Command[] = [
  {
    noun: 'approval',
    verb: 'sign',
    summary:
      'Signs a decision on a request, offline, with your own key; --bytes-out writes what another tool is to sign.',
    details: ELSEWHERE,
    example: 'kmc approval sign request.json --role ca-owner --out decision.json --key me.key.pem --cert me.crt.pem',
    positionals: ['FILE'],
    options: {
      role: { type: 'string', value: 'ROLE', required: true, help: 'the role in which you decide' },
      decision: { type: 'string', value: 'WORD', help: 'APPROVE (default), REJECT or WITHDRAW' },
      out: { type: 'string', value: 'FILE', help: 'new file for the decision, signed with --key' },
      'bytes-out': { type: 'string', value: 'FILE', help: 'new file for what the key of --cert is to sign elsewhere' },
    },
    run: sign,
  },
  {
    noun: 'approval',
    verb: 'submit',
    summary: 'Hands a signed decision to the service; with --signature one that another tool signed.',
    example: 'kmc approval submit decision.json --key me.key.pem --cert me.crt.pem',
    positionals: ['FILE'],
    options: {
      signature: {
        type: 'string',
        value: 'FILE',
        help: 'signature over FILE, which --bytes-out wrote: raw r||s (64 octets) or DER',
      },
      'signer-cert': { type: 'string', value: 'FILE', help: 'certificate of who signed (default: that of --cert)' },
    },
    run: submit,
  },
];
