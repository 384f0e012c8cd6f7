/** What the verifier needs of the log's certificate: its public key and its validity. Trust comes from the policy alone. */
import { portableSm3 } from '../crypto/gm/sm3-portable.ts';
import { fromBase64, hex, textOf } from './octets.ts';
import { isSm2Point } from './sm2.ts';

export interface LogKey {
  /** 65 octets. */
  readonly point: Uint8Array;
  /** `sm3:<hex>` of the subjectPublicKeyInfo. */
  readonly kid: string;
}

export interface LogCertificate extends LogKey {
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Tag, length and content. */
  readonly whole: Uint8Array;
  readonly rest: Uint8Array;
}

const SEQUENCE = 0x30;
/** AlgorithmIdentifier of an SM2 key: id-ecPublicKey with the curve sm2p256v1. */
const SM2_ALGORITHM = '301306072a8648ce3d020106082a811ccf5501822d';

/** The first element of DER octets, with definite lengths up to four octets. */
function element(der: Uint8Array): Element | undefined {
  const [tag, first] = der;
  if (tag === undefined || first === undefined || first === 0x80 || first > 0x84) return undefined;
  const octets = first < 0x80 ? 0 : first - 0x80;
  const length =
    octets === 0 ? first : Array.from(der.subarray(2, 2 + octets)).reduce((sum, one) => sum * 256 + one, 0);
  const start = 2 + octets;
  if (der.length < start + length) return undefined;
  const end = start + length;
  return { tag, content: der.subarray(start, end), whole: der.subarray(0, end), rest: der.subarray(end) };
}

function elementsOf(content: Uint8Array): Element[] {
  const found: Element[] = [];
  for (let next = element(content); next !== undefined; next = element(next.rest)) found.push(next);
  return found;
}

function timeOf({ tag, content }: Element): number {
  const text = textOf(content) ?? '';
  const [, year = '', month, day, hour, minute, second] =
    /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text) ?? [];
  const century = tag === 0x17 ? (Number(year) < 50 ? '20' : '19') : '';
  return Date.parse(`${century}${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** The SM2 key of a subjectPublicKeyInfo, DER. Undefined for any other octets. */
export function logKeyOf(spki: Uint8Array): LogKey | undefined {
  const outer = element(spki);
  const [algorithm, key] = outer === undefined ? [] : elementsOf(outer.content);
  if (outer?.rest.length !== 0 || algorithm === undefined || key === undefined) return undefined;
  const point = key.content.subarray(1);
  if (hex(algorithm.whole) !== SM2_ALGORITHM || !isSm2Point(point)) return undefined;
  return { point, kid: `sm3:${hex(portableSm3(spki))}` };
}

/** Reads a PEM certificate. Undefined unless it is one with an SM2 key. */
export function readLogCertificate(pem: string): LogCertificate | undefined {
  const body = /^-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*$/.exec(pem)?.[1];
  const der = fromBase64((body ?? '').replaceAll(/\s/g, ''));
  const outer = der === undefined ? undefined : element(der);
  const tbs = outer === undefined ? undefined : element(outer.content);
  if (outer?.rest.length !== 0 || tbs?.tag !== SEQUENCE) return undefined;
  // version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo (RFC 5280 4.1)
  const [, , , , validity, , spki] = elementsOf(tbs.content);
  const [from, to] = validity === undefined ? [] : elementsOf(validity.content);
  const key = spki === undefined ? undefined : logKeyOf(spki.whole);
  if (from === undefined || to === undefined || key === undefined) return undefined;
  const [notBefore, notAfter] = [timeOf(from), timeOf(to)];
  return Number.isNaN(notBefore) || Number.isNaN(notAfter) ? undefined : { ...key, notBefore, notAfter };
}
