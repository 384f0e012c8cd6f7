/** CertID: how an OCSP request names a certificate, by digests of its issuer's name and key (RFC 6960 4.1.1). */
import { IDENTIFIER_DIGESTS, identifierDigestOf, type IdentifierDigestName } from '../../crypto/digests.ts';
import {
  cursor,
  nullValue,
  octetString,
  oid,
  readOctetString,
  readOid,
  sequence,
  TAG,
  type DerElement,
} from '../../crypto/asn1/der.ts';
import { parseSpki } from '../../crypto/spki.ts';
import { sequenceFields } from '../sequence-fields.ts';
import { encodeSerialNumber, serialNumberText } from '../serial-number.ts';

export interface CertId {
  /** The whole CertID, DER: an answer repeats it octet by octet. */
  readonly der: Buffer;
  /** Absent when it is made with a digest that is not known here. */
  readonly digest: IdentifierDigestName | undefined;
  readonly issuerNameHash: Buffer;
  readonly issuerKeyHash: Buffer;
  /** See `serialNumberText`. */
  readonly serialNumber: string;
}

/** An issuer as CertIDs name it; each digest is made once. */
export class CertIdIssuer {
  readonly #name: Buffer;
  readonly #keyBits: Buffer;
  readonly #digests = new Map<IdentifierDigestName, readonly [name: Buffer, key: Buffer]>();

  /** `name`: Name, DER; `spki`: subjectPublicKeyInfo, DER. Throws what `parseSpki` throws. */
  constructor({ name, spki }: { readonly name: Buffer; readonly spki: Buffer }) {
    this.#name = name;
    this.#keyBits = parseSpki(spki).keyBits;
  }

  /** Of its Name, and of its key octets without the header of their BIT STRING. */
  digests(digest: IdentifierDigestName): readonly [name: Buffer, key: Buffer] {
    const known = this.#digests.get(digest);
    if (known !== undefined) return known;
    const { of } = IDENTIFIER_DIGESTS[digest];
    const made = [of(this.#name), of(this.#keyBits)] as const;
    this.#digests.set(digest, made);
    return made;
  }
}

/** The digest that an AlgorithmIdentifier names; its parameters are absent or NULL. */
function digestOf(element: DerElement): IdentifierDigestName | undefined {
  const fields = cursor(element);
  const name = identifierDigestOf(readOid(fields.next(TAG.oid, 'the hash algorithm of a CertID')));
  fields.optional(TAG.null);
  return fields.remaining === 0 ? name : undefined;
}

/** Reads a CertID. Throws `E_DER`. */
export function parseCertId(element: DerElement): CertId {
  const fields = sequenceFields(element, 'CertID');
  const digest = digestOf(fields.next(TAG.sequence, 'hashAlgorithm'));
  const issuerNameHash = readOctetString(fields.next(TAG.octetString, 'issuerNameHash'));
  const issuerKeyHash = readOctetString(fields.next(TAG.octetString, 'issuerKeyHash'));
  const serialNumber = serialNumberText(fields.next(TAG.integer, 'serialNumber'));
  fields.end('CertID');
  return { der: element.encoded, digest, issuerNameHash, issuerKeyHash, serialNumber };
}

/** True when the CertID names certificates of this issuer. */
export function isIssuedBy({ digest, issuerNameHash, issuerKeyHash }: CertId, issuer: CertIdIssuer): boolean {
  if (digest === undefined) return false;
  const [name, key] = issuer.digests(digest);
  return name.equals(issuerNameHash) && key.equals(issuerKeyHash);
}

/** CertID DER as most clients write it: NULL parameters for SHA-1 and SHA-256, none for SM3. Throws `E_CERT`. */
export function encodeCertId(digest: IdentifierDigestName, issuer: CertIdIssuer, serialNumber: string): Buffer {
  const [name, key] = issuer.digests(digest);
  const algorithm = sequence(oid(IDENTIFIER_DIGESTS[digest].oid), ...(digest === 'sm3' ? [] : [nullValue()]));
  return sequence(algorithm, octetString(name), octetString(key), encodeSerialNumber(serialNumber));
}
