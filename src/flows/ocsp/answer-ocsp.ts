import { KmcError } from '../../errors.ts';
import { isIssuedBy, type CertId } from '../../x509/ocsp/cert-id.ts';
import { parseOcspRequest, type OcspRequest } from '../../x509/ocsp/request.ts';
import { ocspError, type OcspErrorName } from '../../x509/ocsp/response.ts';
import { maySign } from '../authorities/issuing-authority.ts';
import type { Instance } from '../instance.ts';
import type { AuthorityRow } from '../ports/authorities.ts';
import type { Reader } from '../ports/database.ts';
import type { OcspAnswerRow } from '../ports/ocsp-answers.ts';
import type { OcspResponder, OpenResponders } from './ocsp-responder.ts';
import { answerRow, answerTimes, certIdSm3, signAnswer, type AskedCertificate } from './sign-answer.ts';

export interface AnswerOcspPorts extends Pick<Instance, 'database' | 'clock' | 'policies'> {
  readonly responders: OpenResponders;
  /** False when too many answers were signed a moment ago: signing costs more than asking. */
  maySignNow(): Promise<boolean>;
}

export interface OcspAnswer {
  /** OCSPResponse, DER. */
  readonly response: Buffer;
  /** Present when the same answer serves everybody who asks the same: it may be kept until `nextUpdate`. */
  readonly kept?: Pick<OcspAnswerRow, 'thisUpdate' | 'nextUpdate'>;
}

/** A nonce of this length must be answered with; another may be passed over (RFC 9654 2.1). */
const LEAST_NONCE = 16;
const MOST_NONCE = 32;
/** Seconds for which an answer for one caller alone is good. */
const LIVE_VALIDITY = 3600;

function refusal(name: OcspErrorName): OcspAnswer {
  return { response: ocspError(name) };
}

/** The one authority that all of them name. */
async function issuerOf(
  { responders }: AnswerOcspPorts,
  reader: Reader,
  certIds: readonly CertId[],
): Promise<AuthorityRow | undefined> {
  const rows = await reader.authorities.list({});
  return rows.find((row) => certIds.every((certId) => isIssuedBy(certId, responders.issuer(row))));
}

interface Scene {
  readonly authority: AuthorityRow | undefined;
  readonly kept: OcspAnswerRow | undefined;
  readonly asked: readonly AskedCertificate[];
}

/** What is asked, as it stands at one moment. A kept answer is only of use when one certificate is asked for. */
async function readScene(ports: AnswerOcspPorts, { certIds, nonce }: OcspRequest): Promise<Scene> {
  const [certId, ...more] = certIds;
  return await ports.database.read(async (reader) => {
    const kept =
      certId === undefined || more.length > 0
        ? undefined
        : await reader.ocspAnswers.current(certIdSm3(certId), ports.clock.now());
    if (kept !== undefined && nonce === undefined) return { authority: undefined, kept, asked: [] };
    const authority = await issuerOf(ports, reader, certIds);
    const asked: AskedCertificate[] = [];
    if (authority === undefined) return { authority, kept, asked };
    for (const each of certIds) {
      asked.push({ certId: each, row: await reader.certificates.findBySerial(authority.id, each.serialNumber) });
    }
    return { authority, kept, asked };
  });
}

function keptAnswer({ response, thisUpdate, nextUpdate }: OcspAnswerRow): OcspAnswer {
  return { response, kept: { thisUpdate, nextUpdate } };
}

async function signNow(
  ports: AnswerOcspPorts,
  responder: OcspResponder,
  { asked }: Scene,
  nonce: Buffer | undefined,
): Promise<OcspAnswer> {
  const [only, ...more] = asked;
  const isKept = nonce === undefined && only?.row !== undefined && more.length === 0;
  const seconds = isKept ? ports.policies.revocation.ocspValiditySeconds : LIVE_VALIDITY;
  const times = answerTimes(ports.clock.now(), seconds, responder);
  const response = await signAnswer(responder, asked, times, nonce);
  if (!isKept || only?.row === undefined) return { response };
  const row = answerRow(only.certId, only.row, response, times);
  await ports.database.transaction((tx) => tx.ocspAnswers.put(row));
  return keptAnswer(row);
}

async function answer(ports: AnswerOcspPorts, request: OcspRequest): Promise<OcspAnswer> {
  const { length = 0 } = request.nonce ?? {};
  const nonce = length >= LEAST_NONCE && length <= MOST_NONCE ? request.nonce : undefined;
  const scene = await readScene(ports, { ...request, nonce });
  const { authority, kept } = scene;
  if (kept !== undefined && nonce === undefined) return keptAnswer(kept);
  if (authority === undefined || !maySign(authority, 'lists')) return refusal('unauthorized');
  if (authority.inventory === 'awaited') return refusal('tryLater');
  const fallback = kept === undefined ? refusal('tryLater') : keptAnswer(kept);
  if (!(await ports.maySignNow())) return fallback;
  try {
    return await signNow(ports, await ports.responders.of(authority), scene, nonce);
  } catch (error) {
    const { code } = error instanceof KmcError ? error : { code: undefined };
    if (code === 'E_SEALED' || code === 'E_PENDING') return fallback;
    throw error;
  }
}

/**
 * Answers an OCSPRequest (RFC 6960). Without a nonce the answer is the one that was signed before, else one that is signed
 * and kept; with a nonce of 16 to 32 octets it is signed for this caller, and when that cannot be (sealed, too many) the
 * kept one is given without the nonce, as RFC 9654 allows. `good` is said only of certificates that were issued or
 * imported; `unknown` of serial numbers that were not; `unauthorized` where the issuer is not one of this service, or the
 * certificates asked for have several; `tryLater` while its inventory is awaited or nothing can be signed.
 * @throws KmcError E_STORAGE, E_INTEGRITY.
 */
export async function answerOcsp(ports: AnswerOcspPorts, request: Buffer): Promise<OcspAnswer> {
  let parsed: OcspRequest;
  try {
    parsed = parseOcspRequest(request);
  } catch (error) {
    if (error instanceof KmcError) return refusal('malformedRequest');
    throw error;
  }
  return await answer(ports, parsed);
}
