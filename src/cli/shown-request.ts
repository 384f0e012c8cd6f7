/** A request on the command line: read from a file or asked of the service, and shown before anybody signs. */
import { existsSync } from 'node:fs';
import { canonicalizeSigned, parseStrictJson } from '../crypto/jcs.ts';
import type { KmcClient } from '../agent/signed-client.ts';
import { readApprovalFile } from '../domain/approval/file.ts';
import { readApprovalRequest, requestDigest, ruleOf, type ApprovalRequest } from '../domain/approval/request.ts';
import { digestWords } from '../domain/digest-words.ts';
import { isId } from '../domain/id.ts';
import { isObject } from '../domain/signed-body.ts';
import { KmcError } from '../errors.ts';
import { table, type CommandContext } from './command.ts';
import { shownText, shownValue, type ShownLine } from './shown-value.ts';
import { readNamedFile } from './named-file.ts';

export interface ServiceRequest {
  /** The answer of the service, whole. */
  readonly answer: unknown;
  readonly request: ApprovalRequest;
}

/** Path of a request, or of something below it. */
export function requestPath(id: string, below = ''): string {
  return `/api/v1/requests/${encodeURIComponent(id)}${below}`;
}

/** A request from a file: the request itself, an approval file, or an answer of the service. */
export function requestInFile(path: string): ApprovalRequest {
  const bytes = readNamedFile(path, 'request');
  const value: unknown = parseStrictJson(bytes);
  if (isObject(value) && 'approvals' in value) return readApprovalFile(bytes.toString('utf8')).request;
  return readApprovalRequest(isObject(value) && 'request' in value ? value['request'] : value);
}

/**
 * A request of the service. Its digest is computed here and compared with the one that the service states.
 * @throws KmcError E_SIGNATURE when they differ, E_SCHEMA, and what the service answers.
 */
export async function requestOfService(client: KmcClient, id: string): Promise<ServiceRequest> {
  const answer = await client.json('GET', requestPath(id));
  const members = isObject(answer) ? answer : {};
  const request = readApprovalRequest(members['request']);
  if (requestDigest(request) === members['digest'] && request.id === id) return { answer, request };
  throw new KmcError('E_SIGNATURE', 'The digest that the service states is not that of the request. Sign nothing.');
}

/** The request in a file of that name; without such a file, and with the form of an id, that of the service. */
export async function requestNamed(
  context: Pick<CommandContext, 'client'>,
  fileOrId: string,
): Promise<ApprovalRequest> {
  if (existsSync(fileOrId) || !isId(fileOrId)) return requestInFile(fileOrId);
  return (await requestOfService(await context.client(), fileOrId)).request;
}

/** The file that `kmc approval sign` takes: the canonical JSON of the request, the octets behind its digest. */
export function canonicalRequest(request: ApprovalRequest): string {
  return canonicalizeSigned(request);
}

/** The request as a person reads it before signing. */
export function requestForPeople(request: ApprovalRequest): string {
  const digest = requestDigest(request);
  const lines: ShownLine[] = [
    ['asks to', ruleOf(request).title],
    ['target', request.target],
    ['in state', `${request.preState}, version ${request.targetVersion}`],
    ['by', request.proposer],
    ['reason', shownText(request.reason)],
    ['under', `${request.policy} in ${request.environment}`],
    ['created', request.createdAt],
    ['expires', request.expiresAt],
    ...shownValue('params', request.params),
    ...request.attachments.map(({ name, sm3 }): ShownLine => ['attachment', `${shownText(name)} ${sm3}`]),
    ['digest', digest],
    ['words', digestWords(digest).join(' ')],
  ];
  return table(['', ''], lines).trim();
}
