/** An HTTP client of the KMC: signs requests with the caller's key and turns problem documents back into errors. */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { CryptoEngine, KeyHandle } from '../crypto/engine.ts';
import { parseStrictJson } from '../crypto/jcs.ts';
import { randomBytes } from '../crypto/random.ts';
import { offeredNonce, signRequest, type SignedRequestParts } from '../domain/http-signature.ts';
import { isObject } from '../domain/signed-body.ts';
import { ERROR_CODES, KmcError, type Blocker, type ErrorCode } from '../errors.ts';

export interface RequestSigner {
  readonly engine: CryptoEngine;
  readonly key: KeyHandle;
  /** Signing certificate, DER. */
  readonly certificate: Buffer;
}

export interface ClientOptions {
  /** `http://host:port` or `https://host:port` */
  readonly baseUrl: string;
  /** Without it every request goes unsigned. */
  readonly signer?: RequestSigner;
  /** Trust anchors of the HTTPS side, PEM. */
  readonly tlsAnchors?: string;
  readonly timeoutMilliseconds?: number;
  /** Milliseconds since the epoch, by default the system's: what requests are dated with. */
  readonly clock?: () => number;
  /** Told when an answer says that a break-glass session lasts: which, and until when. */
  readonly onBreakGlass?: (session: string) => void;
}

export interface ClientAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface CallOptions {
  /** 8 to 128 of A-Z a-z 0-9 _ -: the same key with the same body gets the same answer for a day. */
  readonly idempotencyKey?: string;
  /** Asks for an answer only if it has another ETag than this. */
  readonly ifNoneMatch?: string;
}

export interface KmcClient {
  /** Sends and returns the answer whatever its status. */
  send(
    method: 'GET' | 'POST',
    target: string,
    body?: Buffer,
    contentType?: string,
    options?: CallOptions,
  ): Promise<ClientAnswer>;
  /** Sends JSON and parses the JSON answer. @throws KmcError with the code of the problem document. */
  json(method: 'GET' | 'POST', target: string, body?: unknown, options?: CallOptions): Promise<unknown>;
}

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

interface Problem {
  readonly code?: unknown;
  readonly detail?: unknown;
  readonly errors?: unknown;
  readonly rule?: unknown;
  readonly blockedBy?: unknown;
}

/** The problem document of an answer; empty when it holds none, and the status alone has to do. */
function problemOf(answer: ClientAnswer): Problem {
  try {
    const value: unknown = JSON.parse(answer.body.toString('utf8'));
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function pointersOf(errors: unknown): { pointer: string; detail: string }[] {
  if (!Array.isArray(errors)) return [];
  return errors.flatMap((item: unknown) => {
    if (typeof item !== 'object' || item === null || !('pointer' in item) || !('detail' in item)) return [];
    const { pointer, detail } = item;
    return typeof pointer === 'string' && typeof detail === 'string' ? [{ pointer, detail }] : [];
  });
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function blockersOf(items: unknown): Blocker[] {
  if (!Array.isArray(items)) return [];
  return items.flatMap((item: unknown): Blocker[] => {
    if (!isObject(item) || !isText(item['guard']) || !isText(item['text'])) return [];
    const { guard, text, devices, numbers } = item as {
      guard: string;
      text: string;
      devices: unknown;
      numbers: unknown;
    };
    const texts = isObject(numbers) ? Object.entries(numbers).filter(([, value]) => isText(value)) : undefined;
    return [
      {
        guard,
        text,
        ...(Array.isArray(devices) ? { devices: devices.filter(isText) } : {}),
        ...(texts === undefined ? {} : { numbers: Object.fromEntries(texts) as Record<string, string> }),
      },
    ];
  });
}

function asErrorCode(code: unknown): ErrorCode {
  return ERROR_CODES.find((known) => known === code) ?? 'E_INTERNAL';
}

/** The error that a problem document reports. */
export function errorOfAnswer(answer: ClientAnswer): KmcError {
  const problem = problemOf(answer);
  const retryAfter = Number(answer.headers['retry-after']);
  const detail = typeof problem.detail === 'string' ? problem.detail : `the service answered ${answer.status}`;
  return new KmcError(answer.status === 202 ? 'E_PENDING' : asErrorCode(problem.code), detail, {
    remote: true,
    pointers: pointersOf(problem.errors),
    blockedBy: blockersOf(problem.blockedBy),
    ...(typeof problem.rule === 'string' ? { rule: problem.rule } : {}),
    ...(Number.isFinite(retryAfter) ? { retryAfter } : {}),
  });
}

/** Codes of Node and OpenSSL for a certificate that was not accepted. */
const CERTIFICATE_FAULT = /CERT|SELF_SIGNED|ISSUER|VERIFY_LEAF/;
/** Codes where the other side does not speak TLS, or speaks it where it was not expected. */
const PROTOCOL_FAULT = /^(?:EPROTO|ECONNRESET|ERR_SSL_.*|HPE_.*)$/;

/** What to do about a service that did not answer; names the address, and nothing of the request. */
function unreachable({ origin }: URL, cause: unknown): KmcError {
  const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  const advice = CERTIFICATE_FAULT.test(code)
    ? 'its certificate is not accepted: name the certificate of its transport CA with --tls-anchor'
    : PROTOCOL_FAULT.test(code)
      ? 'it does not answer in this protocol: check http or https, host and port of --url'
      : 'check that it runs, and host and port of --url';
  const why = code === '' ? '' : ` (${code})`;
  return new KmcError('E_STORAGE', `The service at ${origin} cannot be reached${why}: ${advice}.`, { cause });
}

/**
 * The service closed a kept connection in the moment in which it was used again. To send the same once more is safe: a
 * request that did arrive has used its nonce, and the others are answered alike when they are repeated.
 */
function isStale(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNRESET';
}

function exchange(
  options: ClientOptions,
  url: URL,
  method: string,
  headers: Record<string, string>,
  body: Buffer | undefined,
): Promise<ClientAnswer> {
  const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) => {
      if (outgoing.reusedSocket && isStale(cause)) resolve(exchange(options, url, method, headers, body));
      else reject(unreachable(url, cause));
    };
    const outgoing = start(
      url,
      { method, headers, timeout: options.timeoutMilliseconds ?? 30_000, ca: options.tlsAnchors },
      (incoming) => {
        const chunks: Buffer[] = [];
        let size = 0;
        incoming.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_ANSWER_BYTES) outgoing.destroy(new Error('answer too large'));
          else chunks.push(chunk);
        });
        incoming.on('error', fail);
        incoming.on('end', () => {
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks) });
        });
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error('timed out')));
    outgoing.on('error', fail);
    outgoing.end(body);
  });
}

/** When a request is signed, and with which nonce. */
interface SigningMoment {
  readonly createdSeconds: number;
  readonly nonce: string;
}

/** What a refusal offers for the next try: a nonce of the service, and its time, for callers whose clock is wrong (C.3). */
function offeredMoment(headers: IncomingHttpHeaders): SigningMoment | undefined {
  const field = headers['accept-signature'];
  const nonce = typeof field === 'string' ? offeredNonce(field) : undefined;
  const time = Date.parse(headers.date ?? '');
  return nonce === undefined || Number.isNaN(time) ? undefined : { nonce, createdSeconds: Math.floor(time / 1000) };
}

/** Makes a client. Connections follow Node's default agent (keep-alive). */
export function createClient(options: ClientOptions): KmcClient {
  const send: KmcClient['send'] = async (
    method,
    target,
    body,
    contentType = 'application/json',
    { idempotencyKey, ifNoneMatch } = {},
  ) => {
    const url = new URL(target, options.baseUrl);
    const headers: Record<string, string> = {
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      ...(ifNoneMatch === undefined ? {} : { 'if-none-match': ifNoneMatch }),
    };
    if (body !== undefined) {
      headers['content-type'] = contentType;
      headers['content-length'] = String(body.length);
    }
    const announced = async (answering: Promise<ClientAnswer>): Promise<ClientAnswer> => {
      const answer = await answering;
      const session = answer.headers['kmc-break-glass'];
      if (typeof session === 'string') options.onBreakGlass?.(session);
      return answer;
    };
    const { signer } = options;
    if (signer === undefined) return await announced(exchange(options, url, method, headers, body));
    const parts: SignedRequestParts = {
      method,
      authority: url.host,
      path: url.pathname,
      query: url.search === '' ? '?' : url.search,
      ...(body === undefined ? {} : { content: { type: contentType, body } }),
    };
    const signed = async (at: SigningMoment) =>
      await announced(exchange(options, url, method, { ...headers, ...(await signRequest(signer, parts, at)) }, body));
    const own = {
      createdSeconds: Math.floor((options.clock ?? Date.now)() / 1000),
      nonce: randomBytes(18).toString('base64url'),
    };
    const answer = await signed(own);
    const offered = answer.status === 401 ? offeredMoment(answer.headers) : undefined;
    return offered === undefined ? answer : await signed(offered);
  };
  return {
    send,
    async json(method, target, body, call) {
      const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const answer = await send(method, target, bytes, 'application/json', call);
      if (answer.status < 200 || answer.status > 299 || answer.status === 202) throw errorOfAnswer(answer);
      return answer.body.length === 0 ? undefined : parseStrictJson(answer.body, { maxBytes: MAX_ANSWER_BYTES });
    },
  };
}
