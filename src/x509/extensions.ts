/** Extensions ::= SEQUENCE OF Extension (RFC 5280 4.1), and the one table of those whose values are known. */
import {
  boolean,
  eachChild,
  octetString,
  oid,
  readBoolean,
  readOctetString,
  readOid,
  sequence,
  sequenceOf,
  TAG,
} from '../crypto/asn1/der.ts';
import type { DerElement } from '../crypto/asn1/der.ts';
import { oidName } from '../crypto/asn1/oids.ts';
import { KmcError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import {
  authorityInfoAccess,
  certificatePolicies,
  crlDistributionPoints,
  freshestCrl,
  subjectInfoAccess,
} from './extensions/access.ts';
import type { Extension, ExtensionCodec } from './extensions/codec.ts';
import { basicConstraints } from './extensions/constraints.ts';
import {
  certificateIssuer,
  crlNumber,
  deltaCrlIndicator,
  invalidityDate,
  issuingDistributionPoint,
  ocspNoCheck,
  reasonCode,
} from './extensions/crl.ts';
import { authorityKeyIdentifier, subjectAltName, subjectKeyIdentifier } from './extensions/identifiers.ts';
import { extendedKeyUsage, keyUsage } from './extensions/key-usage.ts';
import { sequenceFields } from './sequence-fields.ts';

export { extensionOf } from './extensions/codec.ts';
export type { Extension, ExtensionCodec } from './extensions/codec.ts';

/** Every extension whose value this product reads and writes, by its standard name. */
export const EXTENSIONS = {
  authorityInfoAccess,
  authorityKeyIdentifier,
  basicConstraints,
  certificateIssuer,
  certificatePolicies,
  crlDistributionPoints,
  crlNumber,
  deltaCrlIndicator,
  extendedKeyUsage,
  freshestCrl,
  invalidityDate,
  issuingDistributionPoint,
  keyUsage,
  ocspNoCheck,
  reasonCode,
  subjectAltName,
  subjectInfoAccess,
  subjectKeyIdentifier,
} as const;

interface KnownExtension {
  readonly decode: (value: Buffer) => unknown;
  readonly oidDer: Buffer;
}

const KNOWN: ReadonlyMap<string, KnownExtension> = new Map(
  Object.values(EXTENSIONS).map((codec) => [
    codec.oid,
    { decode: (value) => codec.decode(value), oidDer: oid(codec.oid) },
  ]),
);

const MAX_EXTENSIONS = 32;
const CRITICAL = boolean(true);

function parseExtension(element: DerElement): Extension {
  const fields = sequenceFields(element, 'an extension');
  const dotted = readOid(fields.next(TAG.oid, 'extnID'));
  const criticalElement = fields.optional(TAG.boolean);
  const value = readOctetString(fields.next(TAG.octetString, 'extnValue'));
  fields.end('Extension');
  if (criticalElement !== undefined && !readBoolean(criticalElement)) {
    throw new KmcError('E_DER', 'An extension writes out its default critical FALSE.');
  }
  return { oid: dotted, critical: criticalElement !== undefined, value };
}

/**
 * The extensions of an Extensions element, in order. The values of known extensions are checked to be exactly one strict
 * DER element of their type. Throws `code` for an extension that occurs twice, none at all or more than 32; `E_DER`
 * otherwise.
 */
export function parseExtensions(element: DerElement, code: ErrorCode): Extension[] {
  if (element.tag !== TAG.sequence) throw new KmcError('E_DER', 'The list of extensions must be a SEQUENCE.');
  const extensions: Extension[] = [];
  for (const child of eachChild(element)) {
    if (extensions.length === MAX_EXTENSIONS) {
      throw new KmcError(code, `There are more than ${MAX_EXTENSIONS} extensions.`);
    }
    const extension = parseExtension(child);
    if (extensions.some((other) => other.oid === extension.oid)) {
      throw new KmcError(code, `The extension ${oidName(extension.oid)} occurs twice.`);
    }
    KNOWN.get(extension.oid)?.decode(extension.value);
    extensions.push(extension);
  }
  if (extensions.length === 0) throw new KmcError(code, 'The list of extensions is empty; leave it out instead.');
  return extensions;
}

/** Extensions DER, in the given order. */
export function encodeExtensions(extensions: readonly Extension[]): Buffer {
  return sequenceOf(
    extensions.map(({ oid: dotted, critical, value }) => {
      const oidDer = KNOWN.get(dotted)?.oidDer ?? oid(dotted);
      return critical ? sequence(oidDer, CRITICAL, octetString(value)) : sequence(oidDer, octetString(value));
    }),
  );
}

/** The extension of that OID, if it is there. */
export function findExtension(extensions: readonly Extension[], dotted: string): Extension | undefined {
  return extensions.find((extension) => extension.oid === dotted);
}

/** The value of the extension of `codec`, if it is there. Throws `E_DER` when the value is not of its type. */
export function readExtension<Value>(
  extensions: readonly Extension[],
  codec: ExtensionCodec<Value>,
): Value | undefined {
  const extension = findExtension(extensions, codec.oid);
  return extension === undefined ? undefined : codec.decode(extension.value);
}
