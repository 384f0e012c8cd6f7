/** OCSP requests as clients write them, and what an answer says, read without the product's own code for answers. */
import { children, contextExplicit, decodeDer, octetString, oid, sequence } from '../../../src/crypto/asn1/der.ts';
import type { DerElement } from '../../../src/crypto/asn1/der.ts';

export const NONCE_OID = '1.3.6.1.5.5.7.48.1.2';

export function nonceExtension(value: Buffer): Buffer {
  return sequence(sequence(oid(NONCE_OID), octetString(octetString(value))));
}

/** OCSPRequest for these CertIDs (DER). `extensions` is Extensions DER. */
export function ocspRequest(certIds: readonly Buffer[], extensions?: Buffer): Buffer {
  const list = sequence(...certIds.map((certId) => sequence(certId)));
  return sequence(sequence(list, ...(extensions === undefined ? [] : [contextExplicit(2, extensions)])));
}

export function withNonce(certIds: readonly Buffer[], octets: number): Buffer {
  return ocspRequest(certIds, nonceExtension(Buffer.alloc(octets, 0x6e)));
}

export interface SeenAnswer {
  /** OCSPResponseStatus. */
  readonly outer: number;
  /** Of each certificate: `good`, `revoked`, `unknown`. */
  readonly statuses: readonly string[];
  readonly certIds: readonly string[];
  readonly nonce: boolean;
  /** DER of the responder's certificate. */
  readonly certificate: Buffer | undefined;
  readonly tbs: Buffer;
  readonly signature: Buffer;
}

const STATUS: Readonly<Record<number, string>> = { 0x80: 'good', 0xa1: 'revoked', 0x82: 'unknown' };

function inner(element: DerElement | undefined): DerElement[] {
  return element === undefined ? [] : children(element);
}

export function seen(response: Buffer): SeenAnswer {
  const [status, bytes] = inner(decodeDer(response));
  const nothing = { statuses: [], certIds: [], nonce: false, certificate: undefined };
  const outer = status?.content[0] ?? -1;
  if (bytes === undefined) return { outer, ...nothing, tbs: Buffer.alloc(0), signature: Buffer.alloc(0) };
  const [responseBytes] = inner(bytes);
  const basic = inner(decodeDer(inner(responseBytes)[1]?.content ?? Buffer.alloc(0)));
  const data = inner(basic[0]);
  const singles = inner(data[2]).map((single) => inner(single));
  return {
    outer,
    statuses: singles.map((single) => STATUS[single[1]?.tag ?? 0] ?? 'other'),
    certIds: singles.map((single) => single[0]?.encoded.toString('hex') ?? ''),
    nonce: data[3] !== undefined,
    certificate: inner(inner(basic[3])[0])[0]?.encoded,
    tbs: basic[0]?.encoded ?? Buffer.alloc(0),
    signature: basic[2]?.content.subarray(1) ?? Buffer.alloc(0),
  };
}
