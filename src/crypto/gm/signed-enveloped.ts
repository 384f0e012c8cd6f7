/**
 * SignedAndEnvelopedData (GM/T 0010): content under SM4-ECB with a key that is SM2-encrypted to one recipient, signed by
 * one signer over the content octets in clear.
 *   SEQUENCE { 1, SET OF RecipientInfo, SET OF digest AlgorithmIdentifier, EncryptedContentInfo,
 *              [0] certificates, [1] crls, SET OF SignerInfo }
 * Readers accept what real packages show: with or without ContentInfo around it, RecipientInfo version 0 or 1, sm4 or
 * sm4-ecb, NULL or no parameters. GmSSL's dialect (no Z, other identifiers) is not conformant and is refused.
 */
import { KmcError } from '../../errors.ts';
import {
  children,
  contextExplicit,
  contextImplicit,
  contextPrimitive,
  cursor,
  decodeSequence,
  integer,
  octetString,
  oid,
  readOctetString,
  readOid,
  readSmallInteger,
  sequence,
  set,
  TAG,
  type DerCursor,
  type DerElement,
} from '../asn1/der.ts';
import { OID } from '../asn1/oids.ts';

/** The algorithm identifiers that mean SM4-ECB; products write either. */
export const CONTENT_ALGORITHMS = [OID.sm4, OID.sm4Ecb] as const;
export type ContentAlgorithm = (typeof CONTENT_ALGORITHMS)[number];

export interface SignedAndEnvelopedData {
  readonly recipient: {
    /** IssuerAndSerialNumber, DER; the issuer may be an empty SEQUENCE. */
    readonly identifier: Buffer;
    /** DER SM2Cipher. */
    readonly encryptedKey: Buffer;
  };
  readonly contentAlgorithm: ContentAlgorithm;
  readonly encryptedContent: Buffer;
  /** Certificates, DER each. */
  readonly certificates: readonly Buffer[];
  readonly signer: {
    /** IssuerAndSerialNumber, DER. */
    readonly identifier: Buffer;
    /** DER SEQUENCE { r, s } over the content octets, with Z for the default ID. */
    readonly signature: Buffer;
  };
}

const LONGEST_DER = 65_536;
const VERSION = 1;
const RECIPIENT_VERSIONS: readonly number[] = [0, 1];
const CONTENT = 0xa0;
const ENCRYPTED_CONTENT = 0x80;
const CERTIFICATES = 0xa0;
const CRLS = 0xa1;
const MAX_CERTIFICATES = 16;

function algorithm(dotted: string): Buffer {
  return sequence(oid(dotted));
}

/** The bare SignedAndEnvelopedData, as it stands in GM/T 0014. */
export function encodeSignedAndEnveloped(data: SignedAndEnvelopedData): Buffer {
  const { recipient, contentAlgorithm, encryptedContent, certificates, signer } = data;
  return sequence(
    integer(VERSION),
    set(
      sequence(integer(VERSION), recipient.identifier, algorithm(OID.sm2Encrypt), octetString(recipient.encryptedKey)),
    ),
    set(algorithm(OID.sm3)),
    sequence(oid(OID.gmData), algorithm(contentAlgorithm), contextPrimitive(0, encryptedContent)),
    ...(certificates.length === 0 ? [] : [contextImplicit(0, set(...certificates))]),
    set(
      sequence(
        integer(VERSION),
        signer.identifier,
        algorithm(OID.sm3),
        algorithm(OID.sm2Sign),
        octetString(signer.signature),
      ),
    ),
  );
}

/** ContentInfo around a bare SignedAndEnvelopedData (DER): the form in which CAs hand it to users. */
export function wrapSignedAndEnveloped(bare: Buffer): Buffer {
  return sequence(oid(OID.gmSignedAndEnvelopedData), contextExplicit(0, bare));
}

/**
 * Reads one, with or without ContentInfo. Nothing is decrypted or verified here.
 * @throws KmcError E_DER for another structure, other algorithms, or another number of recipients or signers than one;
 * E_SIZE above 64 KiB.
 */
export function parseSignedAndEnveloped(der: Buffer): SignedAndEnvelopedData {
  const fields = unwrapped(der);
  requireVersion(fields, [VERSION], 'SignedAndEnvelopedData');
  const recipient = recipientOf(onlyOne(fields.next(TAG.set, 'recipientInfos'), 'recipient'));
  requireAlgorithm(onlyOne(fields.next(TAG.set, 'digestAlgorithms'), 'digest algorithm'), [OID.sm3]);
  const content = contentOf(fields.next(TAG.sequence, 'encryptedContentInfo'));
  const certificates = certificatesOf(fields.optional(CERTIFICATES));
  fields.optional(CRLS);
  const signer = signerOf(onlyOne(fields.next(TAG.set, 'signerInfos'), 'signer'));
  fields.end('SignedAndEnvelopedData');
  return { recipient, ...content, certificates, signer };
}

/** The fields of the bare structure; what comes first tells whether a ContentInfo is around it. */
function unwrapped(der: Buffer): DerCursor {
  const outer = decodeSequence(der, 'SignedAndEnvelopedData', { maxBytes: LONGEST_DER });
  if (outer.peek()?.tag !== TAG.oid) return outer;
  if (readOid(outer.next(TAG.oid, 'contentType')) !== OID.gmSignedAndEnvelopedData) {
    throw new KmcError('E_DER', 'The message is not SignedAndEnvelopedData of GM/T 0010.');
  }
  const content = cursor(outer.next(CONTENT, 'content'));
  outer.end('ContentInfo');
  const bare = content.next(TAG.sequence, 'SignedAndEnvelopedData');
  content.end('content');
  return cursor(bare);
}

function requireVersion(fields: DerCursor, versions: readonly number[], what: string): void {
  if (versions.includes(readSmallInteger(fields.next(TAG.integer, 'version')))) return;
  throw new KmcError('E_DER', `The version of the ${what} is not one that is read here.`);
}

function onlyOne(element: DerElement, what: string): DerElement {
  const [first, ...others] = children(element);
  if (first?.tag === TAG.sequence && others.length === 0) return first;
  throw new KmcError('E_DER', `The package must have one ${what} and has ${children(element).length}.`);
}

function requireAlgorithm<Known extends string>(element: DerElement, known: readonly Known[]): Known {
  const fields = cursor(element);
  const dotted = readOid(fields.next(TAG.oid, 'algorithm'));
  fields.optional(TAG.null);
  fields.end('AlgorithmIdentifier');
  const found = known.find((one) => one === dotted);
  if (found === undefined) throw new KmcError('E_DER', 'The package names an algorithm that is not taken here.');
  return found;
}

function recipientOf(element: DerElement): SignedAndEnvelopedData['recipient'] {
  const fields = cursor(element);
  requireVersion(fields, RECIPIENT_VERSIONS, 'RecipientInfo');
  const identifier = fields.next(TAG.sequence, 'issuerAndSerialNumber').encoded;
  requireAlgorithm(fields.next(TAG.sequence, 'keyEncryptionAlgorithm'), [OID.sm2Encrypt]);
  const encryptedKey = readOctetString(fields.next(TAG.octetString, 'encryptedKey'));
  fields.end('RecipientInfo');
  return { identifier, encryptedKey };
}

function contentOf(element: DerElement): Pick<SignedAndEnvelopedData, 'contentAlgorithm' | 'encryptedContent'> {
  const fields = cursor(element);
  if (readOid(fields.next(TAG.oid, 'contentType')) !== OID.gmData) {
    throw new KmcError('E_DER', 'The content of the package is not data.');
  }
  const contentAlgorithm = requireAlgorithm(
    fields.next(TAG.sequence, 'contentEncryptionAlgorithm'),
    CONTENT_ALGORITHMS,
  );
  const encryptedContent = fields.next(ENCRYPTED_CONTENT, 'encryptedContent').content;
  fields.end('EncryptedContentInfo');
  return { contentAlgorithm, encryptedContent };
}

function certificatesOf(element: DerElement | undefined): Buffer[] {
  const found = element === undefined ? [] : children(element);
  if (found.length > MAX_CERTIFICATES || found.some(({ tag }) => tag !== TAG.sequence)) {
    throw new KmcError('E_DER', 'The certificates of the package are too many or of a kind that is not used here.');
  }
  return found.map(({ encoded }) => encoded);
}

function signerOf(element: DerElement): SignedAndEnvelopedData['signer'] {
  const fields = cursor(element);
  requireVersion(fields, [VERSION], 'SignerInfo');
  const identifier = fields.next(TAG.sequence, 'issuerAndSerialNumber').encoded;
  requireAlgorithm(fields.next(TAG.sequence, 'digestAlgorithm'), [OID.sm3]);
  requireAlgorithm(fields.next(TAG.sequence, 'digestEncryptionAlgorithm'), [OID.sm2Sign]);
  const signature = readOctetString(fields.next(TAG.octetString, 'encryptedDigest'));
  fields.end('SignerInfo');
  return { identifier, signature };
}
