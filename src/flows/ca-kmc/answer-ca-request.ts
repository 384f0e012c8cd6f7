/** The key management centre's side of GM/T 0014: a signed message in, a signed response out, whatever it says. */
import { sm3 } from '../../crypto/gm/sm3.ts';
import type { AuditEventInput, AuditSource } from '../../domain/audit/event.ts';
import {
  ANSWER_KEPT_SECONDS,
  CA_KMC_ERRORS,
  REQUEST_WINDOW_SECONDS,
  type CaKmcError,
} from '../../domain/ca-kmc-error.ts';
import { newId } from '../../domain/id.ts';
import { KmcError, type ErrorCode } from '../../errors.ts';
import { encodeProtocolMessage, verifyProtocolMessage } from '../../x509/ca-kmc/protocol-message.ts';
import { entityNameOf } from '../../x509/ca-kmc/entity-name.ts';
import { parseCaRequest, type CaRequest, type KeyServiceRequest } from '../../x509/ca-kmc/request.ts';
import { encodeKeyServiceResponses, type KeyServiceResponse } from '../../x509/ca-kmc/response.ts';
import { isConformingSerialNumber } from '../../x509/serial-number.ts';
import type { Instance } from '../instance.ts';
import { retryTaken } from '../keys/retry-taken.ts';
import { applyForKey } from './apply-for-key.ts';
import { kmcIdentity, type KmcIdentity } from './kmc-identity.ts';
import type { MessageScene, Prepared, PreparedResponse } from './prepared-response.ts';
import { findRegisteredAuthority } from './registered-authority.ts';
import { restoreKey } from './restore-key.ts';
import { revokeKey } from './revoke-key.ts';

export interface CaAnswer {
  /** KMRespond, DER. */
  readonly response: Buffer;
  /** Set when nobody proved to have sent it, so that it is counted for the sender's address. */
  readonly unproven?: ErrorCode;
}

/** After so many collisions with another process that does the same at the same time something is wrong. */
const TRIES = 8;
/** What the transaction of an answer says when something else came first. */
const OVERTAKEN: readonly ErrorCode[] = ['E_CONFLICT', 'E_STATE'];
const MALFORMED: readonly ErrorCode[] = ['E_DER', 'E_SIZE', 'E_SIGNATURE', 'E_CERT', 'E_POINT', 'E_KEY'];

/**
 * Answers a message of GM/T 0014. Requests in it are answered one for one, and take effect together with the answer, in
 * one transaction. The same signed content gets the same response for 72 hours; nothing is done twice.
 * @param message CARequest, DER.
 * @throws KmcError E_SEALED; E_STATE without an issuing CA, which certifies our side; E_STORAGE, E_AUDIT.
 */
export async function answerCaRequest(ports: Instance, message: Buffer, source: AuditSource): Promise<CaAnswer> {
  const identity = await kmcIdentity(ports);
  const at = ports.clock.now();
  const read = readMessage(message);
  if (read === undefined) return await unproven(ports, identity, { error: 'malformed', task: 0n, at });
  const { task } = read;
  const authority = await ports.database.read((reader) => findRegisteredAuthority(reader, read.caName, at));
  if (authority === undefined) return await unproven(ports, identity, { error: 'unknown-ca', task, at });
  if (!verifyProtocolMessage(read.message, authority.certificate.spki)) {
    return await unproven(ports, identity, { error: 'bad-signature', task, at });
  }
  const { authorityId, certificateSm3 } = authority;
  const actor = { type: 'authority', id: authorityId, cert: certificateSm3 } as const;
  return { response: await answerProven(ports, { authority, identity, at, actor, source }, read) };
}

function readMessage(message: Buffer): CaRequest | undefined {
  try {
    return parseCaRequest(message);
  } catch (error) {
    if (error instanceof KmcError && MALFORMED.includes(error.code)) return undefined;
    throw error;
  }
}

async function unproven(
  ports: Instance,
  identity: KmcIdentity,
  { error, task, at }: { readonly error: CaKmcError; readonly task: bigint; readonly at: Date },
): Promise<CaAnswer> {
  const response = await signedResponse(ports, identity, { responses: [refused(error)], task, at });
  return { response, unproven: CA_KMC_ERRORS[error].code };
}

function refused(error: CaKmcError): KeyServiceResponse {
  const { number, text } = CA_KMC_ERRORS[error];
  return { kind: 'error', number, description: text };
}

async function signedResponse(
  { engine }: Instance,
  { key, certificate }: KmcIdentity,
  said: { readonly responses: readonly KeyServiceResponse[]; readonly task: bigint; readonly at: Date },
): Promise<Buffer> {
  const { responses, task, at } = said;
  const signed = encodeKeyServiceResponses({ kmName: entityNameOf(certificate), responses, respondTime: at, task });
  return encodeProtocolMessage(signed, 'SM2-SM3', await engine.sign(key, 'SM2-SM3', signed));
}

/** The answer to a message whose signature holds, once for each signed content. */
async function answerProven(ports: Instance, scene: MessageScene, read: CaRequest): Promise<Buffer> {
  for (let tries = 1; ; tries += 1) {
    try {
      return (await storedAnswer(ports, scene, read)) ?? (await retryTaken(() => freshAnswer(ports, scene, read)));
    } catch (error) {
      // The same message, or another about the same key, was answered at the same time: look again at what stands.
      if (!(error instanceof KmcError) || !OVERTAKEN.includes(error.code) || tries === TRIES) throw error;
    }
  }
}

function requestDigest({ message }: CaRequest): string {
  return `sm3:${sm3(message.signed.encoded).toString('hex')}`;
}

async function storedAnswer(ports: Instance, scene: MessageScene, read: CaRequest): Promise<Buffer | undefined> {
  const { authorityId } = scene.authority;
  const stored = await ports.database.read((reader) => reader.caKmcExchanges.find(authorityId, requestDigest(read)));
  if (stored === undefined) return undefined;
  return stored.response ?? (await refusedMessage(ports, scene, read, 'answer-erased'));
}

async function freshAnswer(ports: Instance, scene: MessageScene, read: CaRequest): Promise<Buffer> {
  const { identity, authority, at } = scene;
  if (Math.abs(at.getTime() - read.requestTime.getTime()) > REQUEST_WINDOW_SECONDS * 1000) {
    return await refusedMessage(ports, scene, read, 'stale-time');
  }
  const prepared = await prepareAll(ports, scene, read.requests);
  const responses = prepared.map(({ response }) => response);
  const response = await signedResponse(ports, identity, { responses, task: read.task, at });
  await ports.database.transaction(async (tx) => {
    const isFirst = await tx.caKmcExchanges.insert({
      authorityId: authority.authorityId,
      requestSm3: requestDigest(read),
      request: Buffer.from(read.message.signed.encoded),
      response,
      answeredAt: at,
      eraseAt: new Date(at.getTime() + ANSWER_KEPT_SECONDS * 1000),
    });
    if (!isFirst) throw new KmcError('E_CONFLICT', 'The same message was answered at the same time.');
    for (const one of prepared) await one.record(tx);
  });
  return response;
}

async function prepareAll(
  ports: Instance,
  scene: MessageScene,
  requests: readonly KeyServiceRequest[],
): Promise<PreparedResponse[]> {
  const seen = new Set<string>();
  const prepared: PreparedResponse[] = [];
  for (const request of requests) {
    const { certificateSerial } = request;
    const isUsable = isConformingSerialNumber(certificateSerial) && !seen.has(certificateSerial);
    seen.add(certificateSerial);
    const outcome = isUsable ? await prepare(ports, scene, request) : 'bad-serial';
    prepared.push(typeof outcome === 'string' ? refusedOne(scene, outcome) : outcome);
  }
  return prepared;
}

async function prepare(ports: Instance, scene: MessageScene, request: KeyServiceRequest): Promise<Prepared> {
  if (request.kind === 'apply') return await applyForKey(ports, scene, request);
  if (request.kind === 'revoke') return await revokeKey(ports, scene, request);
  return await restoreKey(ports, scene, request);
}

/** The refusal of one request, which is an event beside what the others do. */
function refusedOne(scene: MessageScene, error: CaKmcError): PreparedResponse {
  const event = newId('ev', scene.at);
  return {
    response: refused(error),
    async record(tx) {
      await tx.audit.append(refusalEvent(scene, error, event), scene.at);
    },
  };
}

/** Refuses a message as a whole: nothing is kept of it but the event. */
async function refusedMessage(
  ports: Instance,
  scene: MessageScene,
  { task }: CaRequest,
  error: CaKmcError,
): Promise<Buffer> {
  const event = newId('ev', scene.at);
  await ports.database.transaction((tx) => tx.audit.append(refusalEvent(scene, error, event), scene.at));
  return await signedResponse(ports, scene.identity, { responses: [refused(error)], task, at: scene.at });
}

function refusalEvent({ authority, actor, source }: MessageScene, error: CaKmcError, id: string): AuditEventInput {
  return {
    id,
    action: 'access.denied',
    outcome: 'denied',
    code: CA_KMC_ERRORS[error].code,
    subjects: [{ type: 'authority', id: authority.authorityId }],
    actor,
    source,
    detail: { operation: 'ca-kmc', reason: error },
  };
}
