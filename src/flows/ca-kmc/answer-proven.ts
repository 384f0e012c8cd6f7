/** A message of GM/T 0014 that its CA proved to have sent: what was answered before, or the answer now. */
import { sm3 } from '../../crypto/gm/sm3.ts';
import type { AuditEventInput } from '../../domain/audit/event.ts';
import {
  ANSWER_KEPT_SECONDS,
  CA_KMC_ERRORS,
  REQUEST_WINDOW_SECONDS,
  type CaKmcError,
} from '../../domain/ca-kmc-error.ts';
import { newId } from '../../domain/id.ts';
import { KmcError, type ErrorCode } from '../../errors.ts';
import type { CaRequest, KeyServiceRequest } from '../../x509/ca-kmc/request.ts';
import { isConformingSerialNumber } from '../../x509/serial-number.ts';
import type { Instance } from '../instance.ts';
import type { Transaction } from '../ports/database.ts';
import { applyForKey } from './apply-for-key.ts';
import type { MessageScene, Prepared, PreparedResponse } from './prepared-response.ts';
import { restoreKey } from './restore-key.ts';
import { revokeKey } from './revoke-key.ts';
import { refused, signedResponse } from './signed-response.ts';

/** After so many collisions with another process that does the same at the same time something is wrong. */
const TRIES = 8;
/** After so many keys that other processes took first, the pool is as good as empty. */
const TAKEN_TRIES = 64;
/** What the transaction of an answer says when something else came first. */
const OVERTAKEN: readonly ErrorCode[] = ['E_CONFLICT', 'E_STATE'];

/**
 * The answer to a message whose signature holds, once for each signed content: KMRespond, DER.
 * @throws KmcError E_SEALED, E_STORAGE, E_AUDIT, E_INTEGRITY (an escrowed key does not open).
 */
export async function answerProven(ports: Instance, scene: MessageScene, read: CaRequest): Promise<Buffer> {
  for (let tries = 1; ; tries += 1) {
    try {
      return (await storedAnswer(ports, scene, read)) ?? (await freshAnswer(ports, scene, read));
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
  if (Math.abs(scene.at.getTime() - read.requestTime.getTime()) > REQUEST_WINDOW_SECONDS * 1000) {
    return await refusedMessage(ports, scene, read, 'stale-time');
  }
  const prepared = await prepareAll(ports, scene, read.requests);
  try {
    return await recordAnswer(ports, scene, read, prepared);
  } finally {
    for (const one of prepared) one.release?.();
  }
}

/**
 * Signs the responses and records them with their effects in one transaction. Where another process takes a key that was
 * chosen here, that request alone gets another one.
 */
async function recordAnswer(
  ports: Instance,
  scene: MessageScene,
  read: CaRequest,
  prepared: PreparedResponse[],
): Promise<Buffer> {
  for (let tries = 1; ; tries += 1) {
    const responses = prepared.map(({ response }) => response);
    const response = await signedResponse(ports, scene.identity, { responses, task: read.task, at: scene.at });
    let underWay = 0;
    try {
      await ports.database.transaction(async (tx) => {
        await insertExchange(tx, scene, read, response);
        for (const [place, one] of prepared.entries()) {
          underWay = place;
          await one.record(tx);
        }
      });
      return response;
    } catch (error) {
      const request = read.requests[underWay];
      if (!(error instanceof KmcError) || error.code !== 'E_KEY_TAKEN' || request === undefined) throw error;
      prepared[underWay]?.release?.();
      const outcome = tries < TAKEN_TRIES ? await prepare(ports, scene, request) : 'pool-empty';
      prepared[underWay] = typeof outcome === 'string' ? refusedOne(scene, outcome) : outcome;
    }
  }
}

async function insertExchange(
  tx: Transaction,
  { authority, at }: MessageScene,
  read: CaRequest,
  response: Buffer,
): Promise<void> {
  const isFirst = await tx.caKmcExchanges.insert({
    authorityId: authority.authorityId,
    requestSm3: requestDigest(read),
    request: Buffer.from(read.message.signed.encoded),
    response,
    answeredAt: at,
    eraseAt: new Date(at.getTime() + ANSWER_KEPT_SECONDS * 1000),
  });
  if (!isFirst) throw new KmcError('E_CONFLICT', 'The same message was answered at the same time.');
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
