/** OCSPResponse with a BasicOCSPResponse (RFC 6960 4.2), written by hand. Tags are EXPLICIT where the RFC has them so. */
import {
  bitString,
  contextExplicit,
  contextImplicit,
  contextPrimitive,
  enumerated,
  generalizedTime,
  octetString,
  oid,
  sequence,
  sequenceOf,
} from '../../crypto/asn1/der.ts';
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithmName } from '../../crypto/algorithms.ts';
import { OID } from '../../crypto/asn1/oids.ts';
import { keyIdentifierSha1 } from '../../crypto/spki.ts';
import { encodeExtensions, EXTENSIONS } from '../extensions.ts';
import type { CrlReason } from '../extensions/crl.ts';

/** OCSPResponseStatus of an answer that holds nothing (RFC 6960 4.2.1). */
const OCSP_ERRORS = {
  malformedRequest: 1,
  internalError: 2,
  tryLater: 3,
  unauthorized: 6,
} as const;
export type OcspErrorName = keyof typeof OCSP_ERRORS;

export type CertStatus =
  | { readonly status: 'good' | 'unknown' }
  | { readonly status: 'revoked'; readonly revokedAt: Date; readonly reason?: CrlReason };

export interface SingleResponse {
  /** CertID as it was asked, DER. */
  readonly certId: Buffer;
  readonly certStatus: CertStatus;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
}

export interface ResponseDataPlan {
  /** subjectPublicKeyInfo of the responder, DER: its ResponderID is the SHA-1 of the key octets. */
  readonly responderSpki: Buffer;
  readonly producedAt: Date;
  readonly responses: readonly SingleResponse[];
  /** Echoed. */
  readonly nonce?: Buffer;
}

function encodeStatus(certStatus: CertStatus): Buffer {
  if (certStatus.status !== 'revoked') return contextPrimitive(certStatus.status === 'good' ? 0 : 2, Buffer.alloc(0));
  const { reason, revokedAt } = certStatus;
  const code = reason === undefined ? [] : [contextExplicit(0, EXTENSIONS.reasonCode.encode(reason))];
  return contextImplicit(1, sequence(generalizedTime(revokedAt), ...code));
}

function encodeSingle({ certId, certStatus, thisUpdate, nextUpdate }: SingleResponse): Buffer {
  return sequence(
    certId,
    encodeStatus(certStatus),
    generalizedTime(thisUpdate),
    contextExplicit(0, generalizedTime(nextUpdate)),
  );
}

/** ResponseData DER: the octets that are signed. */
export function encodeResponseData({ responderSpki, producedAt, responses, nonce }: ResponseDataPlan): Buffer {
  const extensions =
    nonce === undefined
      ? []
      : [contextExplicit(1, encodeExtensions([{ oid: OID.ocspNonce, critical: false, value: octetString(nonce) }]))];
  return sequence(
    contextExplicit(2, octetString(keyIdentifierSha1(responderSpki))),
    generalizedTime(producedAt),
    sequenceOf(responses.map(encodeSingle)),
    ...extensions,
  );
}

/**
 * OCSPResponse DER of a signed ResponseData.
 * @param signature in its X.509 form.
 * @param certificate of a delegated responder, DER; none when the CA itself signs.
 */
export function assembleOcspResponse(
  responseData: Buffer,
  algorithm: SignatureAlgorithmName,
  signature: Buffer,
  certificate?: Buffer,
): Buffer {
  const basic = sequence(
    responseData,
    SIGNATURE_ALGORITHMS[algorithm].identifier,
    bitString(signature),
    ...(certificate === undefined ? [] : [contextExplicit(0, sequence(certificate))]),
  );
  return sequence(enumerated(0), contextExplicit(0, sequence(oid(OID.ocspBasic), octetString(basic))));
}

/** OCSPResponse DER of an answer that holds nothing but its status. */
export function ocspError(name: OcspErrorName): Buffer {
  return sequence(enumerated(OCSP_ERRORS[name]));
}
