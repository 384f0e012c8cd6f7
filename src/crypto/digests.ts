import { createHash } from 'node:crypto';
import { OID } from './asn1/oids.ts';
import { sm3 } from './gm/sm3.ts';

export interface NamedDigests {
  /** `sm3:<hex>` */
  readonly sm3: string;
  /** `sha256:<hex>` */
  readonly sha256: string;
}

/** SHA-256, 32 octets: for partners without SM3. */
export function sha256(octets: Buffer): Buffer {
  return createHash('sha256').update(octets).digest();
}

/** The two digests by which an object is named in records: SM3, and SHA-256 for partners without SM3. */
export function createDigests(octets: Buffer): NamedDigests {
  return {
    sm3: `sm3:${sm3(octets).toString('hex')}`,
    sha256: `sha256:${sha256(octets).toString('hex')}`,
  };
}

/** The digests by which an OCSP CertID may name an issuer (RFC 6960 4.1.1): identifiers, not signatures. */
export const IDENTIFIER_DIGESTS = {
  sha1: { oid: OID.sha1, octets: 20, of: (octets: Buffer) => createHash('sha1').update(octets).digest() },
  sha256: { oid: OID.sha256, octets: 32, of: sha256 },
  sm3: { oid: OID.sm3, octets: 32, of: (octets: Buffer) => sm3(octets) },
} as const;
export type IdentifierDigestName = keyof typeof IDENTIFIER_DIGESTS;

export const IDENTIFIER_DIGEST_NAMES: readonly IdentifierDigestName[] = ['sha1', 'sha256', 'sm3'];

/** The digest of that OID. */
export function identifierDigestOf(dotted: string): IdentifierDigestName | undefined {
  return IDENTIFIER_DIGEST_NAMES.find((name) => IDENTIFIER_DIGESTS[name].oid === dotted);
}
