/** What an answer says of certificates, and its signature. */
import { sm3 } from '../../crypto/gm/sm3.ts';
import type { CertId } from '../../x509/ocsp/cert-id.ts';
import { assembleOcspResponse, encodeResponseData, type CertStatus } from '../../x509/ocsp/response.ts';
import type { OcspAnswerRow, StatusRow } from '../ports/ocsp-answers.ts';
import type { OcspResponder } from './ocsp-responder.ts';

export interface AskedCertificate {
  readonly certId: Pick<CertId, 'der'>;
  /** Absent for a serial number that the authority never used. */
  readonly row: StatusRow | undefined;
}

export interface AnswerTimes {
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
}

/** `good` only for what is in the inventory; a serial number that was never used is unknown (RFC 6960 2.2). */
function certStatusOf(row: StatusRow | undefined): CertStatus {
  if (row === undefined || row.status === 'reserved' || row.status === 'aborted') return { status: 'unknown' };
  if (row.status === 'good' || row.revokedAt === undefined) return { status: 'good' };
  const { revokedAt, reason } = row;
  // A reason that says nothing is left out, as in CRLs.
  return { status: 'revoked', revokedAt, ...(reason === undefined || reason === 'unspecified' ? {} : { reason }) };
}

/** From now, in whole seconds, for so long, and no longer than the responder. */
export function answerTimes(now: Date, validitySeconds: number, { notAfter }: OcspResponder): AnswerTimes {
  const thisUpdate = new Date(Math.floor(now.getTime() / 1000) * 1000);
  const end = Math.min(thisUpdate.getTime() + validitySeconds * 1000, notAfter.getTime());
  return { thisUpdate, nextUpdate: new Date(end) };
}

/** Signs one answer. @returns OCSPResponse, DER. */
export async function signAnswer(
  { signer, certificate }: OcspResponder,
  asked: readonly AskedCertificate[],
  times: AnswerTimes,
  nonce?: Buffer,
): Promise<Buffer> {
  const data = encodeResponseData({
    responderSpki: signer.key.spki,
    producedAt: times.thisUpdate,
    responses: asked.map(({ certId, row }) => ({ certId: certId.der, certStatus: certStatusOf(row), ...times })),
    ...(nonce === undefined ? {} : { nonce }),
  });
  const signature = await signer.engine.sign(signer.key, signer.algorithm, data);
  return assembleOcspResponse(data, signer.algorithm, signature, certificate);
}

/** By what an answer is found again: `sm3:<hex>` of the CertID. */
export function certIdSm3({ der }: Pick<CertId, 'der'>): string {
  return `sm3:${sm3(der).toString('hex')}`;
}

/** The row of an answer to be kept for the next who asks. */
export function answerRow(
  certId: Pick<CertId, 'der'>,
  row: StatusRow,
  response: Buffer,
  times: AnswerTimes,
): OcspAnswerRow {
  return {
    certIdSm3: certIdSm3(certId),
    certificateId: row.id,
    statusEvent: row.lastAuditEvent,
    response,
    ...times,
  };
}
