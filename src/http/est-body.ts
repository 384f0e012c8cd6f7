/** Bodies of EST: base64 of DER without armour, whatever Content-Transfer-Encoding says (RFC 8951 3). */
import { KmcError } from '../errors.ts';
import { EST_ENCODING } from './problem-form.ts';
import type { Reply } from './route.ts';

const LINE = 76;

/** Base64 in lines of 76 with CRLF, the form that every client reads (B.2). */
export function wrappedBase64(der: Buffer): string {
  const text = der.toString('base64');
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += LINE) lines.push(text.slice(at, at + LINE));
  return `${lines.join('\r\n')}\r\n`;
}

/**
 * DER of a body; line ends, spaces and tabs in the base64 count for nothing.
 * @throws KmcError E_DER when it is no base64.
 */
export function decodeEstBody(body: Buffer): Buffer {
  const text = body.toString('latin1').replaceAll(/[\r\n\t ]/g, '');
  const der = Buffer.from(text, 'base64');
  if (text !== '' && der.toString('base64') === text) return der;
  throw new KmcError('E_DER', 'The body must be base64 of DER, without PEM armour.');
}

/** An answer that holds DER. */
export function estReply(type: string, der: Buffer): Reply {
  const body = Buffer.from(wrappedBase64(der), 'ascii');
  return {
    status: 200,
    headers: { ...EST_ENCODING, 'content-length': String(body.length) },
    bytes: { type, body },
  };
}

/** "Not yet": the same request again after that many seconds. */
export function estPending(retryAfterSeconds: number): Reply {
  return {
    status: 202,
    headers: { ...EST_ENCODING, 'content-length': '0', 'retry-after': String(retryAfterSeconds) },
  };
}
