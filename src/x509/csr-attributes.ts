/** The attributes of a certification request (RFC 2986 4.1, RFC 2985 5.4), and what asks a requester for them. */
import { KEY_ALGORITHMS, SIGNATURE_ALGORITHMS } from '../crypto/algorithms.ts';
import type { KeyAlgorithmName } from '../crypto/algorithms.ts';
import { eachChild, implicitAs, oid, readOid, readString, sequence, set, TAG } from '../crypto/asn1/der.ts';
import type { DerElement } from '../crypto/asn1/der.ts';
import { OID, oidName } from '../crypto/asn1/oids.ts';
import { KmcError } from '../errors.ts';
import { encodeExtensions, parseExtensions } from './extensions.ts';
import type { Extension } from './extensions.ts';
import { sequenceFields } from './sequence-fields.ts';

export interface RequestAttributes {
  /** What extensionRequest asks for; empty without one. */
  readonly requestedExtensions: readonly Extension[];
  /** The channel binding of EST where the client sent it. */
  readonly challengePassword: string | undefined;
  /** The dotted OIDs of all attributes, in order. */
  readonly attributeTypes: readonly string[];
}

interface Attribute {
  readonly type: string;
  readonly value: DerElement;
  /** The value stands without the SET around it, as CFCA's tools write it. */
  readonly bare: boolean;
}

const MAX_ATTRIBUTES = 16;
const MAX_CHALLENGE_CHARACTERS = 255;
/** The attributes that CFCA's tools write without the SET (gm-standards 8.3). */
const BARE_ATTRIBUTES: readonly string[] = [OID.challengePassword, OID.cfcaTmpPublicKey];

function parseAttribute(element: DerElement): Attribute {
  const fields = sequenceFields(element, 'an attribute');
  const type = readOid(fields.next(TAG.oid, 'the type of an attribute'));
  const values = fields.any('the values of an attribute');
  fields.end('an attribute');
  if (values.tag !== TAG.set) {
    if (!BARE_ATTRIBUTES.includes(type)) throw new KmcError('E_DER', 'The values of an attribute must be a SET.');
    return { type, value: values, bare: true };
  }
  const [value, ...others] = [...eachChild(values)];
  if (value === undefined || others.length > 0) {
    throw new KmcError('E_CSR', `The attribute ${oidName(type)} must have exactly one value.`);
  }
  return { type, value, bare: false };
}

function parseList(element: DerElement): Attribute[] {
  const attributes: Attribute[] = [];
  for (const child of eachChild(element)) {
    if (attributes.length === MAX_ATTRIBUTES) {
      throw new KmcError('E_CSR', `The request has more than ${MAX_ATTRIBUTES} attributes.`);
    }
    const attribute = parseAttribute(child);
    if (attributes.some(({ type }) => type === attribute.type)) {
      throw new KmcError('E_CSR', `The attribute ${oidName(attribute.type)} occurs twice.`);
    }
    attributes.push(attribute);
  }
  return attributes;
}

function challengeText(value: DerElement): string {
  const text = readString(value);
  if (text.length > MAX_CHALLENGE_CHARACTERS || /\p{C}/u.test(text)) {
    throw new KmcError('E_CSR', 'The challengePassword is too long or holds control characters.');
  }
  return text;
}

/**
 * Reads the `[0] IMPLICIT SET OF Attribute`. No type twice, one value each, sorted as DER wants it; only requests in
 * CFCA's way of writing (two attributes without a SET) may be unsorted. Throws `E_DER` and `E_CSR`.
 */
export function parseRequestAttributes(element: DerElement): RequestAttributes {
  const attributes = parseList(element);
  if (!attributes.some(({ bare }) => bare)) implicitAs(element, TAG.set);
  const request = attributes.find(({ type }) => type === OID.extensionRequest);
  const challenge = attributes.find(({ type }) => type === OID.challengePassword);
  return {
    requestedExtensions: request === undefined ? [] : parseExtensions(request.value, 'E_CSR'),
    challengePassword: challenge === undefined ? undefined : challengeText(challenge.value),
    attributeTypes: attributes.map(({ type }) => type),
  };
}

/**
 * CsrAttrs of EST (RFC 7030 4.5.2 with RFC 9908): the kind of key, one extensionRequest with one Extensions value, and the
 * signature algorithm of that key as a bare OID.
 */
export function encodeCsrAttributes(keyAlgorithm: KeyAlgorithmName, extensions: readonly Extension[]): Buffer {
  const { requestAttribute, defaultSignature } = KEY_ALGORITHMS[keyAlgorithm];
  return sequence(
    requestAttribute,
    sequence(oid(OID.extensionRequest), set(encodeExtensions(extensions))),
    oid(SIGNATURE_ALGORITHMS[defaultSignature].oid),
  );
}
