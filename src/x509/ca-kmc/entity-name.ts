/**
 * EntName (GM/T 0014): how a CA and a key management centre name themselves to each other.
 *   SEQUENCE { hashAlgorithm, entName GeneralName, entPubKeyHash OCTET STRING, serialNumber INTEGER }
 * What the hash is taken over is not known from the standard's text: it is written over the whole SubjectPublicKeyInfo,
 * and one over the content of its BIT STRING is recognised too.
 */
import { cursor, octetString, oid, readOctetString, readOid, sequence, TAG } from '../../crypto/asn1/der.ts';
import type { DerElement } from '../../crypto/asn1/der.ts';
import { OID } from '../../crypto/asn1/oids.ts';
import { sm3 } from '../../crypto/gm/sm3.ts';
import { parseSpki } from '../../crypto/spki.ts';
import { KmcError } from '../../errors.ts';
import type { Certificate } from '../certificate.ts';
import { decodeGeneralName, encodeGeneralName } from '../extensions/general-name.ts';
import type { GeneralName } from '../extensions/general-name.ts';
import { encodeSerialNumber, serialNumberText } from '../serial-number.ts';

export interface EntityName {
  readonly name: GeneralName;
  /** SM3 over the public key, 32 octets. */
  readonly publicKeyHash: Buffer;
  /** As `serialNumberText`. */
  readonly serialNumber: string;
}

/** The name of the holder of a communication certificate. */
export function entityNameOf(certificate: Pick<Certificate, 'subject' | 'spki' | 'serialNumber'>): EntityName {
  return {
    name: { type: 'directoryName', der: certificate.subject.der },
    publicKeyHash: sm3(certificate.spki),
    serialNumber: certificate.serialNumber,
  };
}

/** True when the hash is that of the key, by either convention. Throws what `parseSpki` throws. */
export function namesKey(entity: EntityName, spki: Buffer): boolean {
  return entity.publicKeyHash.equals(sm3(spki)) || entity.publicKeyHash.equals(sm3(parseSpki(spki).keyBits));
}

/** EntName DER. Throws `E_CERT` for a name or serial number that cannot be written. */
export function encodeEntityName({ name, publicKeyHash, serialNumber }: EntityName): Buffer {
  return sequence(
    sequence(oid(OID.sm3)),
    encodeGeneralName(name),
    octetString(publicKeyHash),
    encodeSerialNumber(serialNumber),
  );
}

/** Reads an EntName. Throws `E_DER` for another structure or another hash than SM3. */
export function parseEntityName(element: DerElement): EntityName {
  const fields = cursor(element);
  requireOid(fields.next(TAG.sequence, 'hashAlgorithm'), [OID.sm3]);
  const name = decodeGeneralName(fields.any('entName'));
  const publicKeyHash = readOctetString(fields.next(TAG.octetString, 'entPubKeyHash'));
  const serialNumber = serialNumberText(fields.next(TAG.integer, 'serialNumber'));
  fields.end('EntName');
  if (publicKeyHash.length !== 32) throw new KmcError('E_DER', 'entPubKeyHash is not an SM3 hash.');
  return { name, publicKeyHash, serialNumber };
}

/** The OID of an AlgorithmIdentifier without parameters (or NULL) that must be one of these. Throws `E_DER`. */
function requireOid<Known extends string>(element: DerElement, known: readonly Known[]): Known {
  const dotted = readAlgorithm(element);
  const found = known.find((one) => one === dotted);
  if (found === undefined) throw new KmcError('E_DER', 'An algorithm stands where another one must.');
  return found;
}

/** The OID of an AlgorithmIdentifier without parameters or with NULL. Throws `E_DER` for other parameters. */
export function readAlgorithm(element: DerElement): string {
  const fields = cursor(element);
  const dotted = readOid(fields.next(TAG.oid, 'algorithm'));
  fields.optional(TAG.null);
  fields.end('AlgorithmIdentifier');
  return dotted;
}
