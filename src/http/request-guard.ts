/** What Node's HTTP parser lets through and this service does not: checked before anything else looks at the request. */
import type { IncomingMessage } from 'node:http';
import { KmcError, type ErrorCode } from '../errors.ts';

const VERSIONS = new Set(['1.0', '1.1']);
const PATH = /^\/(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-Fa-f]{2}|\/)*$/;
/** RFC 6960 A.1: base64 as the rest of the path, its + / = as they are or percent-encoded; nothing in it is a path. */
const OCSP_PATH = /^\/ocsp\/(?:[A-Za-z0-9+/=]|%2[bBfF]|%3[dD])+$/;
const FORBIDDEN_IN_PATH = /\/\/|\/\.{1,2}(?:\/|$)|%2[ef]|%5c|%00/i;

interface Rule {
  readonly refuses: (request: IncomingMessage) => boolean;
  readonly why: string;
  /** E_SCHEMA unless told. */
  readonly code?: ErrorCode;
}

function countOf(request: IncomingMessage, name: string): number {
  let count = 0;
  for (let i = 0; i < request.rawHeaders.length; i += 2) if (request.rawHeaders[i]?.toLowerCase() === name) count += 1;
  return count;
}

/** Fields that must not stand twice: a second one is how two readers come to see two requests. */
const SINGLE_FIELDS = [
  'host',
  'content-type',
  'content-digest',
  'signature',
  'signature-input',
  'idempotency-key',
  'authorization',
  'cookie',
  'client-cert',
  'x-real-ip',
];

/** What only a registered proxy may say, and no client of it or of ours. */
const PROXY_FIELDS = ['client-cert', 'client-cert-chain'];

const RULES: readonly Rule[] = [
  { refuses: (r) => !VERSIONS.has(r.httpVersion), why: 'HTTP/1.1 (or 1.0) only' },
  { refuses: (r) => r.headers['transfer-encoding'] !== undefined, why: 'send Content-Length, no Transfer-Encoding' },
  { refuses: (r) => SINGLE_FIELDS.some((name) => countOf(r, name) > 1), why: 'a header field stands twice' },
  { refuses: (r) => r.httpVersion === '1.1' && countOf(r, 'host') !== 1, why: 'one Host header' },
  { refuses: (r) => (r.url ?? '').length > 2048, why: 'the target is too long' },
  { refuses: (r) => !/^\/[!-~]*$/.test(r.url ?? ''), why: 'origin-form targets of ASCII characters only' },
  {
    refuses: (r) => !OCSP_PATH.test(pathOf(r)) && (!PATH.test(pathOf(r)) || FORBIDDEN_IN_PATH.test(pathOf(r))),
    why: 'the path has a form that is not allowed',
  },
  {
    refuses: (r) => r.headers['content-encoding'] !== undefined,
    why: 'Content-Encoding is not accepted',
    code: 'E_TYPE',
  },
  { refuses: (r) => r.headers['x-http-method-override'] !== undefined, why: 'method override is not accepted' },
  { refuses: (r) => r.headers.upgrade !== undefined, why: 'upgrade is not accepted' },
];

/** The raw path of a request, without its query. */
export function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  return mark < 0 ? url : url.slice(0, mark);
}

/** The raw query of a request with its leading `?`; `?` alone when there is none. */
export function queryOf(request: IncomingMessage): string {
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  return mark < 0 ? '?' : url.slice(mark);
}

/**
 * Why a request is refused and its connection closed (E_SCHEMA, E_TYPE), or undefined when it may go on.
 * @param fromProxy it came on the private socket of a registered proxy.
 */
export function refusalOf(request: IncomingMessage, fromProxy: boolean): KmcError | undefined {
  if (!fromProxy && PROXY_FIELDS.some((name) => request.headers[name] !== undefined)) {
    return new KmcError('E_SCHEMA', 'Client-Cert is accepted from registered proxies only');
  }
  const rule = RULES.find(({ refuses }) => refuses(request));
  return rule === undefined ? undefined : new KmcError(rule.code ?? 'E_SCHEMA', rule.why);
}
