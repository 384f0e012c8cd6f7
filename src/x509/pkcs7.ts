/** Certs-only SignedData: the "degenerate" CMS message of EST answers (RFC 7030 4.1.3, RFC 5652 5.1). */
import {
  contextExplicit,
  contextImplicit,
  cursor,
  decodeSequence,
  eachChild,
  integer,
  oid,
  readOid,
  readSmallInteger,
  sequence,
  set,
  TAG,
} from '../crypto/asn1/der.ts';
import type { DerCursor, DerElement } from '../crypto/asn1/der.ts';
import { OID } from '../crypto/asn1/oids.ts';
import { KmcError } from '../errors.ts';

/** What a certs-only message carries, each item whole DER. */
export interface CertsOnlyMessage {
  readonly certificates: readonly Buffer[];
  readonly crls: readonly Buffer[];
}

const CONTENT = 0xa0;
const CERTIFICATES = 0xa0;
const CRLS = 0xa1;
const VERSION = 1;
const MAX_ITEMS = 256;

/**
 * ContentInfo DER holding only these certificates and CRLs (DER each). They form a SET: readers must not rely on their
 * order, and DER sorts them. Throws `E_DER` without any certificate or with more than 256 items.
 */
export function encodeCertsOnly(certificates: readonly Buffer[], crls: readonly Buffer[] = []): Buffer {
  if (certificates.length === 0 || certificates.length + crls.length > MAX_ITEMS) {
    throw new KmcError('E_DER', `A certs-only message holds 1 to ${MAX_ITEMS} certificates and CRLs.`);
  }
  const signedData = sequence(
    integer(VERSION),
    set(),
    sequence(oid(OID.data)),
    contextImplicit(0, set(...certificates)),
    ...(crls.length === 0 ? [] : [contextImplicit(1, set(...crls))]),
    set(),
  );
  return sequence(oid(OID.signedData), contextExplicit(0, signedData));
}

function signedDataOf(der: Buffer, maxBytes?: number): DerCursor {
  const contentInfo = decodeSequence(der, 'ContentInfo', maxBytes === undefined ? {} : { maxBytes });
  const contentType = readOid(contentInfo.next(TAG.oid, 'contentType'));
  if (contentType !== OID.signedData) throw new KmcError('E_DER', 'The message is not PKCS#7 SignedData.');
  const content = cursor(contentInfo.next(CONTENT, 'content'));
  contentInfo.end('ContentInfo');
  const signedData = content.next(TAG.sequence, 'SignedData');
  content.end('content');
  return cursor(signedData);
}

function itemsOf(element: DerElement | undefined, what: string, maxItems: number): Buffer[] {
  const items: Buffer[] = [];
  if (element === undefined) return items;
  for (const child of eachChild(element)) {
    if (child.tag !== TAG.sequence)
      throw new KmcError('E_DER', `The message holds ${what} of a kind that is not used here.`);
    if (items.length === maxItems) throw new KmcError('E_DER', `The message holds more than ${maxItems} ${what}.`);
    items.push(child.encoded);
  }
  return items;
}

/**
 * The certificates and CRLs of a certs-only ContentInfo (DER), in the order of the message; they are not parsed or
 * verified. At most 256 of each and 1 MiB unless told otherwise. Throws `E_DER` for another structure, for signed content
 * or signers, `E_SIZE`.
 */
export function parseCertsOnly(
  der: Buffer,
  { maxItems = MAX_ITEMS, maxBytes }: { readonly maxItems?: number; readonly maxBytes?: number } = {},
): CertsOnlyMessage {
  const fields = signedDataOf(der, maxBytes);
  if (readSmallInteger(fields.next(TAG.integer, 'version')) !== VERSION) {
    throw new KmcError('E_DER', 'The SignedData is not version 1.');
  }
  fields.next(TAG.set, 'digestAlgorithms');
  const content = cursor(fields.next(TAG.sequence, 'contentInfo'));
  if (readOid(content.next(TAG.oid, 'contentType')) !== OID.data) {
    throw new KmcError('E_DER', 'The SignedData holds content of a kind that is not used here.');
  }
  content.end('contentInfo of a certs-only message');
  const certificates = itemsOf(fields.optional(CERTIFICATES), 'certificates', maxItems);
  const crls = itemsOf(fields.optional(CRLS), 'CRLs', maxItems);
  const signerInfos = fields.next(TAG.set, 'signerInfos');
  fields.end('SignedData');
  if (signerInfos.content.length > 0)
    throw new KmcError('E_DER', 'The message has signers; a certs-only message is wanted.');
  if (certificates.length === 0) throw new KmcError('E_DER', 'The message holds no certificate.');
  return { certificates, crls };
}
