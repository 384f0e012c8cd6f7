/** X.501 Name (RFC 5280 4.1.2.4): parsed strictly, written in one form, shown by RFC 4514. */
import {
  decodeDer,
  eachChild,
  oid,
  printableString,
  readOid,
  readString,
  sequence,
  set,
  TAG,
  utf8String,
} from '../crypto/asn1/der.ts';
import type { DerElement } from '../crypto/asn1/der.ts';
import { OID } from '../crypto/asn1/oids.ts';
import { OctetCache } from '../crypto/octet-cache.ts';
import { KmcError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import { nameTextFault } from './name-text.ts';
import { sequenceFields } from './sequence-fields.ts';

export type NameAttributeType = 'C' | 'ST' | 'L' | 'O' | 'OU' | 'CN' | 'serialNumber';

/** One attribute of a name that we write, one relative distinguished name each. */
export interface NameAttribute {
  readonly type: NameAttributeType;
  readonly value: string;
}

/** One attribute of a name that was read. */
export interface ReadNameAttribute {
  /** Dotted OID. */
  readonly oid: string;
  /** Short name of RFC 4514 where there is one, else the dotted OID. */
  readonly label: string;
  readonly value: string;
  /** The value as it stands, DER. */
  readonly der: Buffer;
}

/** A name as it was read: `der` is what counts in comparisons, `text` is for people. */
export interface Name {
  /** The Name, DER. */
  readonly der: Buffer;
  /** RFC 4514 text. */
  readonly text: string;
  /** The relative distinguished names in the order of the DER. */
  readonly rdns: readonly (readonly ReadNameAttribute[])[];
}

interface AttributeFacts {
  readonly label: string;
  /** Upper bound in characters (RFC 5280 appendix A.1). */
  readonly maxLength: number;
  /** String types accepted on read. */
  readonly read: readonly number[];
  /** How we write it; absent when we do not. */
  readonly write?: (value: string) => Buffer;
}

const DIRECTORY_STRING: readonly number[] = [TAG.utf8String, TAG.printableString];

/** Everything known about one attribute type, by OID. */
const ATTRIBUTES: ReadonlyMap<string, AttributeFacts> = new Map<string, AttributeFacts>([
  [OID.countryName, { label: 'C', maxLength: 2, read: DIRECTORY_STRING, write: printableString }],
  [OID.stateOrProvinceName, { label: 'ST', maxLength: 128, read: DIRECTORY_STRING, write: utf8String }],
  [OID.localityName, { label: 'L', maxLength: 128, read: DIRECTORY_STRING, write: utf8String }],
  [OID.organizationName, { label: 'O', maxLength: 64, read: DIRECTORY_STRING, write: utf8String }],
  [OID.organizationalUnitName, { label: 'OU', maxLength: 64, read: DIRECTORY_STRING, write: utf8String }],
  [OID.commonName, { label: 'CN', maxLength: 64, read: DIRECTORY_STRING, write: utf8String }],
  [OID.serialNumber, { label: 'serialNumber', maxLength: 64, read: DIRECTORY_STRING, write: printableString }],
  [OID.streetAddress, { label: 'STREET', maxLength: 128, read: DIRECTORY_STRING }],
  [OID.title, { label: 'title', maxLength: 64, read: DIRECTORY_STRING }],
  [OID.surname, { label: 'SN', maxLength: 64, read: DIRECTORY_STRING }],
  [OID.givenName, { label: 'givenName', maxLength: 64, read: DIRECTORY_STRING }],
  [OID.userId, { label: 'UID', maxLength: 64, read: DIRECTORY_STRING }],
  [OID.domainComponent, { label: 'DC', maxLength: 64, read: [TAG.ia5String] }],
  [OID.emailAddress, { label: 'emailAddress', maxLength: 255, read: [TAG.ia5String] }],
]);

/** An attribute type that is not in the table is read, within the widest bound. */
const UNKNOWN_ATTRIBUTE = { maxLength: 128, read: [...DIRECTORY_STRING, TAG.ia5String] } as const;

const OID_BY_LABEL: ReadonlyMap<string, string> = new Map(
  [...ATTRIBUTES].map(([dotted, facts]) => [facts.label, dotted]),
);

const MAX_RDNS = 16;
const MAX_ATTRIBUTES_IN_RDN = 4;

function nameError(code: ErrorCode, message: string): KmcError {
  return new KmcError(code, `The name is not acceptable: ${message}.`);
}

/** `length` counts characters, not UTF-16 units: a rare Han character is one. */
function checkValue(label: string, value: string, maxLength: number, code: ErrorCode): void {
  const fault = nameTextFault(value);
  if (fault !== undefined) throw nameError(code, `its ${label} ${fault}`);
  if (value.length > maxLength && Array.from(value).length > maxLength) {
    throw nameError(code, `its ${label} is longer than ${maxLength} characters`);
  }
}

function parseAttribute(element: DerElement, code: ErrorCode): ReadNameAttribute {
  const fields = sequenceFields(element, 'an attribute of a name');
  const dotted = readOid(fields.next(TAG.oid, 'the type of a name attribute'));
  const valueElement = fields.any('the value of a name attribute');
  fields.end('a name attribute');
  const known = ATTRIBUTES.get(dotted);
  const label = known?.label ?? dotted;
  const { read, maxLength } = known ?? UNKNOWN_ATTRIBUTE;
  if (!read.includes(valueElement.tag)) throw nameError(code, `its ${label} is in a string type that is not accepted`);
  const value = readString(valueElement);
  checkValue(label, value, maxLength, code);
  return { oid: dotted, label, value, der: valueElement.encoded };
}

function parseRdn(element: DerElement, code: ErrorCode): ReadNameAttribute[] {
  if (element.tag !== TAG.set) throw nameError(code, 'a relative distinguished name must be a SET');
  const attributes: ReadNameAttribute[] = [];
  for (const child of eachChild(element)) {
    if (attributes.length === MAX_ATTRIBUTES_IN_RDN) throw nameError(code, 'a relative distinguished name is too long');
    attributes.push(parseAttribute(child, code));
  }
  if (attributes.length === 0) throw nameError(code, 'a relative distinguished name is empty');
  if (new Set(attributes.map((attribute) => attribute.oid)).size < attributes.length) {
    throw nameError(code, 'a relative distinguished name holds an attribute twice');
  }
  return attributes;
}

/**
 * Reads a Name. It must not be empty; at most 16 relative distinguished names of at most 4 attributes; values in
 * UTF8String or PrintableString (IA5String for emailAddress and DC), within the bounds of RFC 5280 appendix A, free of
 * what `nameTextFault` refuses. Throws `code` (`E_CSR` for requests, `E_CERT` for certificates) with the reason, `E_DER`
 * when it is not DER of that shape.
 */
export function parseName(name: Buffer | DerElement, code: ErrorCode): Name {
  return KNOWN.get(Buffer.isBuffer(name) ? name : name.encoded, (der) => readName(decodeDer(der), code));
}

const KNOWN = new OctetCache<Name>(1_024);

function readName(element: DerElement, code: ErrorCode): Name {
  if (element.tag !== TAG.sequence) throw nameError(code, 'it must be a SEQUENCE');
  const rdns: ReadNameAttribute[][] = [];
  for (const child of eachChild(element)) {
    if (rdns.length === MAX_RDNS) throw nameError(code, `it has more than ${MAX_RDNS} relative distinguished names`);
    rdns.push(parseRdn(child, code));
  }
  if (rdns.length === 0) throw nameError(code, 'it is empty');
  return { der: element.encoded, text: textOf(rdns), rdns };
}

/**
 * Name DER of these attributes, one relative distinguished name each, in the given order (C first). C and serialNumber
 * are PrintableString, the others UTF8String. Throws `code` for a value that `parseName` would refuse, `E_DER` for a
 * character that PrintableString cannot hold.
 */
export function encodeName(attributes: readonly NameAttribute[], code: ErrorCode = 'E_CERT'): Buffer {
  if (attributes.length === 0 || attributes.length > MAX_RDNS) {
    throw nameError(code, `it must have 1 to ${MAX_RDNS} attributes`);
  }
  return sequence(
    ...attributes.map(({ type, value }) => {
      const dotted = OID_BY_LABEL.get(type);
      const facts = dotted === undefined ? undefined : ATTRIBUTES.get(dotted);
      if (dotted === undefined || facts?.write === undefined) throw nameError(code, `${type} is not written`);
      checkValue(type, value, facts.maxLength, code);
      return set(sequence(oid(dotted), facts.write(value)));
    }),
  );
}

function escaped(value: string): string {
  return value.replaceAll(/["+,;<>\\]|^[ #]|^ | $/g, (character) => `\\${character}`);
}

function textOf(rdns: readonly (readonly ReadNameAttribute[])[]): string {
  return rdns
    .toReversed()
    .map((rdn) => rdn.map((attribute) => attributeText(attribute)).join('+'))
    .join(',');
}

function attributeText({ oid: dotted, label, value, der }: ReadNameAttribute): string {
  // RFC 4514 2.4: a type without a short name shows its value as the hex of its encoding.
  return label === dotted ? `${dotted}=#${der.toString('hex')}` : `${label}=${escaped(value)}`;
}

/** RFC 4514 text of a Name DER, last relative distinguished name first. Throws as `parseName` with `E_CERT`. */
export function formatName(der: Buffer): string {
  return parseName(der, 'E_CERT').text;
}

/** The values of one attribute type in a name that was read, in order. */
export function nameValues(name: Name, type: NameAttributeType): string[] {
  return name.rdns.flatMap((rdn) => rdn.filter((attribute) => attribute.label === type).map(({ value }) => value));
}
