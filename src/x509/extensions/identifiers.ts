/** Who holds and who issued: key identifiers and alternative names (RFC 5280 4.2.1.1, 4.2.1.2, 4.2.1.6). */
import {
  contextImplicit,
  contextPrimitive,
  implicitAs,
  integer,
  octetString,
  readOctetString,
  readUnsignedInteger,
  sequence,
  TAG,
} from '../../crypto/asn1/der.ts';
import { OID } from '../../crypto/asn1/oids.ts';
import { sequenceFields } from '../sequence-fields.ts';
import { decodeValue, extensionCodec, extensionFault } from './codec.ts';
import {
  decodeGeneralNames,
  decodeUntaggedGeneralNames,
  encodeGeneralNames,
  encodeTaggedGeneralNames,
} from './general-name.ts';
import type { GeneralName } from './general-name.ts';

export interface AuthorityKeyIdentifier {
  readonly keyIdentifier?: Buffer;
  /** Read from foreign certificates only: it hinders cross-certification, so we never write it. */
  readonly authorityCertIssuer?: readonly GeneralName[];
  /** Magnitude of the serial number; stands and falls with `authorityCertIssuer`. */
  readonly authorityCertSerialNumber?: Buffer;
}

/** SM3 identifiers have 32 octets, SHA-1 ones 20; whatever is longer is no identifier. */
const MAX_IDENTIFIER_OCTETS = 64;
const MAX_SERIAL_OCTETS = 64;

function checkIdentifier(identifier: Buffer): Buffer {
  if (identifier.length === 0 || identifier.length > MAX_IDENTIFIER_OCTETS) {
    throw extensionFault(`a key identifier must have 1 to ${MAX_IDENTIFIER_OCTETS} octets`);
  }
  return identifier;
}

/** subjectKeyIdentifier: opaque octets. */
export const subjectKeyIdentifier = extensionCodec<Buffer>({
  oid: OID.subjectKeyIdentifier,
  critical: false,
  encode: (identifier) => octetString(checkIdentifier(identifier)),
  decode: (value) => checkIdentifier(readOctetString(decodeValue(value))),
});

/** authorityKeyIdentifier: keyIdentifier [0], authorityCertIssuer [1], authorityCertSerialNumber [2]. */
export const authorityKeyIdentifier = extensionCodec<AuthorityKeyIdentifier>({
  oid: OID.authorityKeyIdentifier,
  critical: false,
  encode({ keyIdentifier, authorityCertIssuer, authorityCertSerialNumber }) {
    const parts: Buffer[] = [];
    if (keyIdentifier !== undefined) parts.push(contextPrimitive(0, checkIdentifier(keyIdentifier)));
    if (authorityCertIssuer !== undefined) parts.push(encodeTaggedGeneralNames(1, authorityCertIssuer));
    if (authorityCertSerialNumber !== undefined) parts.push(contextImplicit(2, integer(authorityCertSerialNumber)));
    return sequence(...parts);
  },
  decode(value) {
    const fields = sequenceFields(decodeValue(value), 'authorityKeyIdentifier');
    const identifier = fields.optional(0x80);
    const issuer = fields.optional(0xa1);
    const serial = fields.optional(0x82);
    fields.end('authorityKeyIdentifier');
    if ((issuer === undefined) !== (serial === undefined)) {
      throw extensionFault('authorityKeyIdentifier names an issuer without a serial number or the reverse');
    }
    return {
      ...(identifier === undefined ? {} : { keyIdentifier: checkIdentifier(identifier.content) }),
      ...(issuer === undefined ? {} : { authorityCertIssuer: decodeGeneralNames(issuer) }),
      ...(serial === undefined
        ? {}
        : { authorityCertSerialNumber: readUnsignedInteger(implicitAs(serial, TAG.integer), MAX_SERIAL_OCTETS) }),
    };
  },
});

/** subjectAltName. */
export const subjectAltName = extensionCodec<readonly GeneralName[]>({
  oid: OID.subjectAltName,
  critical: false,
  encode: encodeGeneralNames,
  decode: (value) => decodeUntaggedGeneralNames(decodeValue(value)),
});
