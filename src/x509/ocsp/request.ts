/** OCSPRequest (RFC 6960 4.1), read strictly and within bounds. Who asks is nobody's business: signatures are not looked at. */
import {
  cursor,
  decodeDer,
  decodeSequence,
  eachChild,
  readOctetString,
  readSmallInteger,
  TAG,
  type DerCursor,
  type DerElement,
} from '../../crypto/asn1/der.ts';
import { OID } from '../../crypto/asn1/oids.ts';
import { KmcError } from '../../errors.ts';
import { findExtension, parseExtensions, type Extension } from '../extensions.ts';
import { sequenceFields } from '../sequence-fields.ts';
import { parseCertId, type CertId } from './cert-id.ts';

export interface OcspRequest {
  /** 1 to 100, in the order of the request. */
  readonly certIds: readonly CertId[];
  /** 1 to 128 octets (RFC 9654 2.1). */
  readonly nonce: Buffer | undefined;
}

export const MAX_OCSP_REQUEST_OCTETS = 16_384;
const MAX_CERT_IDS = 100;
const MAX_NONCE_OCTETS = 128;

function refused(message: string): KmcError {
  return new KmcError('E_SCHEMA', `The OCSP request is not acceptable: ${message}.`);
}

/** The one element inside an explicit tag. */
function inside(element: DerElement, what: string): DerElement {
  const fields = cursor(element);
  const inner = fields.any(what);
  fields.end(what);
  return inner;
}

/** Extensions that may stand there; one that is critical and not understood makes the request unusable. */
function extensionsIn(element: DerElement | undefined, understood: readonly string[]): Extension[] {
  if (element === undefined) return [];
  const extensions = parseExtensions(inside(element, 'extensions'), 'E_SCHEMA');
  if (extensions.some(({ oid, critical }) => critical && !understood.includes(oid))) {
    throw refused('a critical extension is not understood');
  }
  return extensions;
}

function parseSingle(element: DerElement): CertId {
  const fields = sequenceFields(element, 'Request');
  const certId = parseCertId(fields.next(TAG.sequence, 'reqCert'));
  extensionsIn(fields.optional(0xa0), []);
  fields.end('Request');
  return certId;
}

function parseRequestList(list: DerElement): CertId[] {
  const certIds: CertId[] = [];
  for (const child of eachChild(list)) {
    if (certIds.length === MAX_CERT_IDS) throw refused(`it asks for more than ${MAX_CERT_IDS} certificates`);
    certIds.push(parseSingle(child));
  }
  if (certIds.length === 0) throw refused('it asks for no certificate');
  return certIds;
}

function nonceIn(extensions: readonly Extension[]): Buffer | undefined {
  const extension = findExtension(extensions, OID.ocspNonce);
  if (extension === undefined) return undefined;
  const nonce = readOctetString(decodeDer(extension.value));
  if (nonce.length >= 1 && nonce.length <= MAX_NONCE_OCTETS) return nonce;
  throw refused(`a nonce has 1 to ${MAX_NONCE_OCTETS} octets`);
}

/** Version 1 is the default; some clients write it out, which is not DER but does no harm. */
function parseVersion(fields: DerCursor): void {
  const version = fields.optional(0xa0);
  if (version === undefined || readSmallInteger(inside(version, 'version')) === 0) return;
  throw refused('only version 1 is known');
}

/**
 * Reads an OCSPRequest. An optional signature and requestor name are passed over. Throws `E_SIZE` above 16 KiB, `E_DER`,
 * and `E_SCHEMA` for more than 100 certificates, none, a nonce of 0 or more than 128 octets (RFC 9654 2.1), another
 * version, or a critical extension that is not understood.
 */
export function parseOcspRequest(der: Buffer): OcspRequest {
  const outer = decodeSequence(der, 'OCSPRequest', { maxBytes: MAX_OCSP_REQUEST_OCTETS });
  const fields = cursor(outer.next(TAG.sequence, 'tbsRequest'));
  outer.optional(0xa0);
  outer.end('OCSPRequest');
  parseVersion(fields);
  fields.optional(0xa1);
  const certIds = parseRequestList(fields.next(TAG.sequence, 'requestList'));
  const nonce = nonceIn(extensionsIn(fields.optional(0xa2), [OID.ocspNonce]));
  fields.end('TBSRequest');
  return { certIds, nonce };
}
