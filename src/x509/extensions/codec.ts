import { decodeDer } from '../../crypto/asn1/der.ts';
import type { DerElement } from '../../crypto/asn1/der.ts';
import { OctetCache } from '../../crypto/octet-cache.ts';
import { KmcError } from '../../errors.ts';

/** One extension as it stands in a certificate, request, CRL or CRL entry (RFC 5280 4.1). */
export interface Extension {
  /** Dotted OID. */
  readonly oid: string;
  readonly critical: boolean;
  /** The octets inside extnValue: for the known extensions one DER element. */
  readonly value: Buffer;
}

/** Everything known about one extension: its OID, whether we mark it critical, and its value both ways. */
export interface ExtensionCodec<Value> {
  readonly oid: string;
  readonly critical: boolean;
  /** The octets inside extnValue. Throws `E_CERT` for a value that the standard does not allow. */
  encode(value: Value): Buffer;
  /** Throws `E_DER` for octets that are not exactly one strict DER element of this extension's type. */
  decode(value: Buffer): Value;
}

const REMEMBERED_VALUES = 256;

/**
 * A codec that remembers what it decoded: a parser checks every value, the rules then look at them again and again, and
 * most values stand in every certificate of an issuer.
 */
export function extensionCodec<Value>(codec: ExtensionCodec<Value>): ExtensionCodec<Value> {
  const decoded = new OctetCache<{ readonly value: Value }>(REMEMBERED_VALUES);
  return { ...codec, decode: (octets) => decoded.get(octets, (value) => ({ value: codec.decode(value) })).value };
}

const MAX_VALUE_OCTETS = 65_536;

/** The one DER element of an extension value; octets behind it are refused with `E_DER`, a huge value with `E_SIZE`. */
export function decodeValue(value: Buffer): DerElement {
  return decodeDer(value, { maxBytes: MAX_VALUE_OCTETS });
}

/** An extension holding `value`, critical as the profile of this codec has it unless told otherwise. */
export function extensionOf<Value>(
  codec: ExtensionCodec<Value>,
  value: Value,
  critical: boolean = codec.critical,
): Extension {
  return { oid: codec.oid, critical, value: codec.encode(value) };
}

/** The error for an extension value that is DER but not what its standard allows on read. */
export function extensionFault(message: string): KmcError {
  return new KmcError('E_DER', `An extension is not acceptable: ${message}.`);
}

/** The error for an extension value that we are asked to write and that its standard does not allow. */
export function extensionRefused(message: string): KmcError {
  return new KmcError('E_CERT', `An extension cannot be written: ${message}.`);
}
