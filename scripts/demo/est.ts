/** EST in the demo: a client that knows nothing of the product but RFC 7030 and the transport root. */
import { request } from 'node:https';

export interface EstService {
  /** `https://host:port` */
  readonly url: string;
  /** The transport root, PEM. */
  readonly anchor: string;
}

export interface EstAnswer {
  readonly status: number;
  /** Decoded from base64. */
  readonly der: Buffer;
}

/** One operation: a GET, or a POST of a request (PKCS#10, DER) under Basic with serial number and token. */
export function callEst(
  { url, anchor }: EstService,
  operation: string,
  post?: { readonly csr: Buffer; readonly serial: string; readonly token: Buffer },
): Promise<EstAnswer> {
  const body = post?.csr.toString('base64');
  const headers: Record<string, string> =
    post === undefined || body === undefined
      ? {}
      : {
          'content-type': 'application/pkcs10',
          'content-length': String(body.length),
          authorization: `Basic ${Buffer.concat([Buffer.from(`${post.serial}:`), post.token]).toString('base64')}`,
        };
  return new Promise((resolve, reject) => {
    const options = { method: post === undefined ? 'GET' : 'POST', ca: anchor, headers };
    const outgoing = request(`${url}/.well-known/est/${operation}`, options, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const der = Buffer.from(Buffer.concat(chunks).toString('ascii'), 'base64');
        resolve({ status: incoming.statusCode ?? 0, der });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
