/** GeneralName (RFC 5280 4.2.1.6), the CHOICE that several extensions share. */
import { isIPv4, isIPv6 } from 'node:net';
import {
  children,
  contextExplicit,
  contextImplicit,
  contextPrimitive,
  eachChild,
  sequence,
  TAG,
} from '../../crypto/asn1/der.ts';
import type { DerElement } from '../../crypto/asn1/der.ts';
import { parseName } from '../name.ts';
import { extensionFault, extensionRefused } from './codec.ts';

/**
 * One name. `iPAddress` holds the text form (RFC 5952 for version 6), `directoryName` the Name DER. Alternatives that
 * this product does not use (otherName, x400Address, ediPartyName, registeredID) are kept as they stand in `der`.
 */
export type GeneralName =
  | { readonly type: 'rfc822Name' | 'dNSName' | 'uniformResourceIdentifier' | 'iPAddress'; readonly value: string }
  | { readonly type: 'directoryName'; readonly der: Buffer }
  | { readonly type: 'other'; readonly der: Buffer };

const TEXT_TAGS = { rfc822Name: 1, dNSName: 2, uniformResourceIdentifier: 6 } as const;
const DIRECTORY_NAME = 4;
const IP_ADDRESS = 7;
/** First identifier octets of the alternatives kept as they stand: otherName, x400Address, ediPartyName, registeredID. */
const OTHER_TAGS: readonly number[] = [0xa0, 0xa3, 0xa5, 0x88];
const TEXT_TYPE_BY_TAG: ReadonlyMap<number, keyof typeof TEXT_TAGS> = new Map([
  [0x81, 'rfc822Name'],
  [0x82, 'dNSName'],
  [0x86, 'uniformResourceIdentifier'],
]);

const MAX_NAMES = 128;
const MAX_TEXT_OCTETS = 2_048;
/** IA5 without control characters: nothing invisible gets into a screen or log. */
const VISIBLE_IA5 = /^[ -~]+$/;

function expandedIPv6(address: string): Buffer {
  // URL writes the canonical RFC 5952 form in hexadecimal groups, whatever form came in.
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return Buffer.from([...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join(''), 'hex');
}

function addressOctets(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  if (isIPv6(address) && !address.includes('%')) return expandedIPv6(address);
  throw extensionRefused('an iPAddress is not an IP address');
}

function addressText(octets: Buffer): string {
  if (octets.length === 4) return [...octets].join('.');
  if (octets.length !== 16) throw extensionFault('an iPAddress has neither 4 nor 16 octets');
  const groups = octets.toString('hex').match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}

/** GeneralName DER. Throws `E_CERT` for text with characters outside visible ASCII or an address that is none. */
export function encodeGeneralName(name: GeneralName): Buffer {
  if (name.type === 'other') return name.der;
  // Name is a CHOICE: its tag is EXPLICIT (X.680 31.2.7).
  if (name.type === 'directoryName') return contextExplicit(DIRECTORY_NAME, name.der);
  if (name.type === 'iPAddress') return contextPrimitive(IP_ADDRESS, addressOctets(name.value));
  if (!VISIBLE_IA5.test(name.value) || name.value.length > MAX_TEXT_OCTETS) {
    throw extensionRefused(`a ${name.type} must be visible ASCII of 1 to ${MAX_TEXT_OCTETS} characters`);
  }
  return contextPrimitive(TEXT_TAGS[name.type], Buffer.from(name.value, 'latin1'));
}

/** One GeneralName. Throws `E_DER` for an unknown alternative or a value that its alternative does not allow. */
export function decodeGeneralName(element: DerElement): GeneralName {
  const type = TEXT_TYPE_BY_TAG.get(element.tag);
  if (type !== undefined) {
    const value = element.content.toString('latin1');
    if (!VISIBLE_IA5.test(value) || value.length > MAX_TEXT_OCTETS) {
      throw extensionFault(`a ${type} is not visible ASCII of 1 to ${MAX_TEXT_OCTETS} characters`);
    }
    return { type, value };
  }
  if (element.tag === (0x80 | IP_ADDRESS)) return { type: 'iPAddress', value: addressText(element.content) };
  if (element.tag === (0xa0 | DIRECTORY_NAME)) {
    const [name, ...others] = children(element);
    if (name === undefined || others.length > 0) throw extensionFault('a directoryName must hold one name');
    return { type: 'directoryName', der: parseName(name, 'E_DER').der };
  }
  if (OTHER_TAGS.includes(element.tag)) return { type: 'other', der: element.encoded };
  throw extensionFault('a general name has an unknown form');
}

/** GeneralNames ::= SEQUENCE SIZE (1..MAX) OF GeneralName, DER. Throws `E_CERT` when empty or as `encodeGeneralName`. */
export function encodeGeneralNames(names: readonly GeneralName[]): Buffer {
  if (names.length === 0) throw extensionRefused('a list of general names is empty');
  return sequence(...names.map(encodeGeneralName));
}

/** GeneralNames behind the IMPLICIT context tag `number`. */
export function encodeTaggedGeneralNames(number: number, names: readonly GeneralName[]): Buffer {
  return contextImplicit(number, encodeGeneralNames(names));
}

/**
 * The names of a GeneralNames, whatever its (possibly IMPLICIT) tag: 1 to 128 of them. Throws `E_DER` for another number
 * or as `decodeGeneralName`.
 */
export function decodeGeneralNames(element: DerElement): GeneralName[] {
  const names: GeneralName[] = [];
  for (const child of eachChild(element)) {
    if (names.length === MAX_NAMES) throw extensionFault(`there are more than ${MAX_NAMES} general names`);
    names.push(decodeGeneralName(child));
  }
  if (names.length === 0) throw extensionFault('a list of general names is empty');
  return names;
}

/** GeneralNames under its own tag. Throws `E_DER` for another tag or as `decodeGeneralNames`. */
export function decodeUntaggedGeneralNames(element: DerElement): GeneralName[] {
  if (element.tag !== TAG.sequence) throw extensionFault('general names must be a SEQUENCE');
  return decodeGeneralNames(element);
}
