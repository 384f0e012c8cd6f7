/** nameConstraints (RFC 5280 4.2.1.10): read, and applied to the names of the certificates below. */
import { children, cursor, decodeDer, decodeSequence, TAG } from '../../crypto/asn1/der.ts';
import type { DerElement } from '../../crypto/asn1/der.ts';
import { OID } from '../../crypto/asn1/oids.ts';
import { KmcError } from '../../errors.ts';
import type { Certificate } from '../certificate.ts';
import { extensionFault } from '../extensions/codec.ts';
import { findExtension } from '../extensions.ts';
import { isSelfIssued, pathReason } from './path-reason.ts';
import type { PathReason } from './path-reason.ts';

/** A GeneralName by its first identifier octet and content; a directoryName's content is the Name, DER. */
interface TaggedName {
  readonly tag: number;
  readonly content: Buffer;
}

/** The subtrees of one nameConstraints extension. */
export interface NameConstraints {
  readonly permitted: readonly TaggedName[];
  readonly excluded: readonly TaggedName[];
}

interface NameForm {
  readonly label: string;
  isName(name: Buffer): boolean;
  /** May throw `E_DER` instead of answering false. */
  isBase(base: Buffer): boolean;
  /** Whether everything that `name` stands for lies in the subtree of `base`. */
  isInside(name: Buffer, base: Buffer): boolean;
  /** Whether something that `name` stands for may lie in the subtree of `base`. */
  touches(name: Buffer, base: Buffer): boolean;
}

const PERMITTED = 0xa0;
const EXCLUDED = 0xa1;
const RFC822_NAME = 0x81;
const DNS_NAME = 0x82;
const DIRECTORY_NAME = 0xa4;
const IP_ADDRESS = 0x87;
const MAX_SUBTREES = 128;
/** Comparisons for one certificate; more would let a certificate stall the process. */
const MAX_COMPARISONS = 16_384;

const DNS_LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const WILDCARD = '*.';

function dnsLabels(content: Buffer): string[] {
  const text = content.toString('latin1').toLowerCase();
  return (text.startsWith(WILDCARD) ? text.slice(WILDCARD.length) : text).split('.');
}

function areDnsLabels(labels: readonly string[]): boolean {
  return labels.every((label) => DNS_LABEL.test(label));
}

function endsWith(labels: readonly string[], base: readonly string[]): boolean {
  const offset = labels.length - base.length;
  return offset >= 0 && base.every((label, index) => labels[offset + index] === label);
}

const DNS_FORM: NameForm = {
  label: 'dNSName',
  isName: (name) => areDnsLabels(dnsLabels(name)),
  isBase: (base) => base.length === 0 || (base[0] !== 0x2a && areDnsLabels(dnsLabels(base))),
  // An empty base stands for every name.
  isInside: (name, base) => base.length === 0 || endsWith(dnsLabels(name), dnsLabels(base)),
  touches(name, base) {
    if (DNS_FORM.isInside(name, base)) return true;
    // A wildcard serves as the names one label below it, which may be excluded (CVE-2025-61727).
    return name[0] === 0x2a && endsWith(dnsLabels(base), dnsLabels(name));
  },
};

function rdns(name: Buffer): Buffer[] {
  return children(decodeDer(name)).map((rdn) => rdn.encoded);
}

function isDirectoryName(content: Buffer): boolean {
  return decodeDer(content).tag === TAG.sequence;
}

function startsWithRdns(name: Buffer, base: Buffer): boolean {
  const found = rdns(name);
  return rdns(base).every((rdn, index) => found[index]?.equals(rdn) === true);
}

const DIRECTORY_FORM: NameForm = {
  label: 'directoryName',
  isName: isDirectoryName,
  isBase: isDirectoryName,
  isInside: startsWithRdns,
  touches: startsWithRdns,
};

function isInNetwork(address: Buffer, network: Buffer): boolean {
  if (network.length !== address.length * 2) return false;
  return address.every((octet, index) => {
    const mask = network[address.length + index] ?? 0;
    return (octet & mask) === ((network[index] ?? 0) & mask);
  });
}

const IP_FORM: NameForm = {
  label: 'iPAddress',
  isName: (name) => name.length === 4 || name.length === 16,
  isBase: (base) => base.length === 8 || base.length === 32,
  isInside: isInNetwork,
  touches: isInNetwork,
};

/** The forms that are processed; a constraint on another form refuses the names of that form. */
const NAME_FORMS: ReadonlyMap<number, NameForm> = new Map([
  [DNS_NAME, DNS_FORM],
  [DIRECTORY_NAME, DIRECTORY_FORM],
  [IP_ADDRESS, IP_FORM],
]);

function parseSubtrees(element: DerElement | undefined): TaggedName[] {
  if (element === undefined) return [];
  const subtrees = children(element);
  if (subtrees.length === 0 || subtrees.length > MAX_SUBTREES) {
    throw extensionFault(`nameConstraints must have 1 to ${MAX_SUBTREES} subtrees of a kind`);
  }
  return subtrees.map((subtree) => {
    const fields = cursor(subtree);
    const { tag, content } = fields.any('base');
    fields.end('a subtree (minimum and maximum are not used)');
    if (NAME_FORMS.get(tag)?.isBase(content) === false)
      throw extensionFault('a subtree of nameConstraints is malformed');
    return { tag, content };
  });
}

/** Reads the value of a nameConstraints extension. Throws `E_DER` for anything but subtrees with well-formed bases. */
export function parseNameConstraints(value: Buffer): NameConstraints {
  const fields = decodeSequence(value, 'nameConstraints');
  const permitted = parseSubtrees(fields.optional(PERMITTED));
  const excluded = parseSubtrees(fields.optional(EXCLUDED));
  fields.end('nameConstraints');
  if (permitted.length + excluded.length === 0) throw extensionFault('nameConstraints is empty');
  return { permitted, excluded };
}

function namesOf(certificate: Certificate): TaggedName[] {
  const names: TaggedName[] = [{ tag: DIRECTORY_NAME, content: certificate.subject.der }];
  for (const attribute of certificate.subject.rdns.flat()) {
    if (attribute.oid === OID.emailAddress)
      names.push({ tag: RFC822_NAME, content: Buffer.from(attribute.value, 'latin1') });
  }
  const alternatives = findExtension(certificate.extensions, OID.subjectAltName);
  if (alternatives === undefined) return names;
  return [...names, ...children(decodeDer(alternatives.value)).map(({ tag, content }) => ({ tag, content }))];
}

function nameFault({ tag, content }: TaggedName, { permitted, excluded }: NameConstraints): string | undefined {
  const allowed = permitted.filter((base) => base.tag === tag);
  const forbidden = excluded.filter((base) => base.tag === tag);
  if (allowed.length + forbidden.length === 0) return undefined;
  const form = NAME_FORMS.get(tag);
  if (form === undefined) return 'has a name of a form whose constraints are not processed here';
  if (!form.isName(content)) return `has a malformed ${form.label}`;
  if (forbidden.some((base) => form.touches(content, base.content)))
    return `has a ${form.label} that a CA above excludes`;
  if (allowed.length > 0 && !allowed.some((base) => form.isInside(content, base.content))) {
    return `has a ${form.label} outside what a CA above permits`;
  }
  return undefined;
}

function faultsOf(certificate: Certificate, constraints: readonly NameConstraints[]): PathReason[] {
  const names = namesOf(certificate);
  const bases = constraints.reduce((sum, { permitted, excluded }) => sum + permitted.length + excluded.length, 0);
  if (names.length * bases > MAX_COMPARISONS) {
    return [pathReason('name-constraints', certificate, 'has too many names for the constraints above it')];
  }
  const faults = constraints.flatMap((one) => names.map((name) => nameFault(name, one)));
  return [...new Set(faults)]
    .filter((fault) => fault !== undefined)
    .map((fault) => pathReason('name-constraints', certificate, fault));
}

function constraintsOf(certificate: Certificate): NameConstraints | PathReason | undefined {
  const extension = findExtension(certificate.extensions, OID.nameConstraints);
  if (extension === undefined) return undefined;
  try {
    return parseNameConstraints(extension.value);
  } catch (error) {
    if (!(error instanceof KmcError)) throw error;
    return pathReason('name-constraints-unsupported', certificate, 'has nameConstraints that cannot be processed');
  }
}

/**
 * Where the names in `chain` (leaf first, anchor last) break the nameConstraints above them. The anchor's constraints
 * count; self-issued certificates other than the leaf are exempt.
 */
export function nameConstraintReasons(chain: readonly Certificate[]): PathReason[] {
  const reasons: PathReason[] = [];
  const inForce: NameConstraints[] = [];
  for (const certificate of chain.toReversed()) {
    const isLeaf = certificate === chain[0];
    if (inForce.length > 0 && (isLeaf || !isSelfIssued(certificate))) reasons.push(...faultsOf(certificate, inForce));
    if (isLeaf) break;
    const found = constraintsOf(certificate);
    if (found === undefined) continue;
    if ('rule' in found) reasons.push(found);
    else inForce.push(found);
  }
  return reasons;
}
