/** The key management centre's side of GM/T 0014: a signed message in, a signed response out, whatever it says. */
import type { AuditSource } from '../../domain/audit/event.ts';
import { CA_KMC_ERRORS, type CaKmcError } from '../../domain/ca-kmc-error.ts';
import { KmcError, type ErrorCode } from '../../errors.ts';
import { verifyProtocolMessage } from '../../x509/ca-kmc/protocol-message.ts';
import { parseCaRequest, type CaRequest } from '../../x509/ca-kmc/request.ts';
import type { Instance } from '../instance.ts';
import { answerProven } from './answer-proven.ts';
import { kmcIdentity, type KmcIdentity } from './kmc-identity.ts';
import { findRegisteredAuthority } from './registered-authority.ts';
import { refused, signedResponse } from './signed-response.ts';

export interface CaAnswer {
  /** KMRespond, DER. */
  readonly response: Buffer;
  /** Set when nobody proved to have sent it, so that it is counted for the sender's address. */
  readonly unproven?: ErrorCode;
}

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
