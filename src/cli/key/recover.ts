import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { decodePem, encodePem } from '../../crypto/asn1/pem.ts';
import { parseStrictJson } from '../../crypto/jcs.ts';
import { errorOfAnswer, type KmcClient } from '../../agent/signed-client.ts';
import { readEvidence } from '../../domain/recovery-evidence.ts';
import { KmcError } from '../../errors.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { answerItems, answerText } from '../answer-table.ts';
import type { Command, CommandInput, Outcome } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { readNamedFile, writeNewFile } from '../named-file.ts';
import { requestPath } from '../shown-request.ts';

const RECOVERIES = '/api/v1/recoveries';
/** Checkpoints are signed every few seconds. */
const EVIDENCE_TRIES = 60;
const EVIDENCE_PAUSE_MS = 1_000;

const OPTIONS = {
  request: { type: 'string', value: 'ID', help: 'an approved request (recovery.judicial or recovery.user): does it' },
  authority: { type: 'string', value: 'ID', help: 'user recovery: the CA of the encryption certificate' },
  serial: { type: 'string', value: 'HEX', help: 'user recovery: serial number of the encryption certificate' },
  recipient: { type: 'string', value: 'FILE', help: 'user recovery: certificate (PEM) of the new signing key' },
  out: { type: 'string', value: 'DIR', help: 'new folder for what is handed out', required: true },
} as const satisfies Command['options'];

/** Writes what a recovery hands out; of a judicial one the evidence too, once the audit log holds it. */
async function handOut(client: KmcClient, id: string, folder: string): Promise<Outcome> {
  const recovery = await client.json('GET', `${RECOVERIES}/${encodeURIComponent(id)}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeNewFile(join(folder, 'recovered-key.der'), Buffer.from(answerText(recovery, 'envelopedKey'), 'base64'));
  const files = ['recovered-key.der'];
  if (answerText(recovery, 'kind') === 'judicial') {
    const text = await evidenceOf(client, id);
    const { evidenceCertificate } = readEvidence(text);
    writeNewFile(join(folder, 'evidence.json'), text);
    const certificate = encodePem('CERTIFICATE', Buffer.from(evidenceCertificate, 'base64'));
    writeNewFile(join(folder, 'evidence.crt.pem'), certificate);
    files.push('evidence.json', 'evidence.crt.pem');
  }
  const json = { recovery: id, key: answerText(recovery, 'key'), folder, files };
  return { json, text: `recovery ${id}: ${files.join(', ')} in ${folder}` };
}

async function evidenceOf(client: KmcClient, id: string): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    const answer = await client.send('GET', `${RECOVERIES}/${encodeURIComponent(id)}/evidence`);
    if (answer.status === 200) return answer.body.toString('utf8');
    const error = errorOfAnswer(answer);
    if (error.code !== 'E_PENDING' || tries === EVIDENCE_TRIES) throw error;
    await new Promise((resolve) => setTimeout(resolve, EVIDENCE_PAUSE_MS));
  }
}

/** Does what was approved; a request that was done before leads to the same recovery. */
async function byRequest(client: KmcClient, request: string, folder: string): Promise<Outcome> {
  const query = `${RECOVERIES}?request=${encodeURIComponent(request)}`;
  const recoveryOf = async (): Promise<string> => answerText(answerItems(await client.json('GET', query))[0], 'id');
  const before = await recoveryOf();
  if (before === '') await client.json('POST', requestPath(request, '/executions'), {});
  const id = before === '' ? await recoveryOf() : before;
  if (id === '') throw new KmcError('E_NOT_FOUND', 'The request recovered no key. Look at it: kmc request show');
  return await handOut(client, id, folder);
}

async function forUser(client: KmcClient, input: CommandInput, folder: string): Promise<Outcome> {
  const pem = readNamedFile(input.required('recipient'), 'certificate').toString('utf8');
  const { spki } = parseCertificate(decodePem(pem, 'CERTIFICATE'));
  const body = {
    authority: input.required('authority'),
    serialNumber: input.required('serial').toLowerCase(),
    recipient: spki.toString('base64'),
  };
  const answer = await client.send('POST', RECOVERIES, Buffer.from(JSON.stringify(body)), 'application/json');
  if (answer.status !== 201 && answer.status !== 202) throw errorOfAnswer(answer);
  const json = parseStrictJson(answer.body);
  if (answer.status === 201) return await handOut(client, answerText(json, 'id'), folder);
  const approvalRequest = answerText(json, 'approvalRequest');
  const next = `No live signing certificate of the same subject names that key, so people decide: ${approvalRequest}`;
  return { exitCode: EXIT.waitsForApproval, json: { approvalRequest }, text: next };
}

export const recoverCommand: Command = {
  noun: 'key',
  verb: 'recover',
  summary:
    'Recovers an escrowed key: by an approved request, or for its user to a live signing certificate (role ca-operator).',
  details: [
    'A judicial recovery is proposed with: kmc request create --op recovery.judicial --target CASE --params FILE',
    '--expires-at TIME; recovery officers of two organisations approve it. The folder gets recovered-key.der (envelope),',
    'evidence.json and evidence.crt.pem. Exit 3: a user recovery that waits for its approval.',
  ],
  example: 'kmc key recover --request rq-01j... --out recovery/case-1 --key officer.key.pem --cert officer.crt.pem',
  options: OPTIONS,
  async run(input, context) {
    const folder = input.required('out');
    const request = input.text('request');
    const client = await context.client();
    return request === undefined ? await forUser(client, input, folder) : await byRequest(client, request, folder);
  },
};
