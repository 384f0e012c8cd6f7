/** How a refusal is written: a problem document, or what the protocol of a path asks for. */
import type { ErrorCode } from '../errors.ts';
import type { problemOf } from './problem.ts';

type Refusal = ReturnType<typeof problemOf>;

export interface WrittenRefusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

type ProblemForm = (refusal: Refusal) => WrittenRefusal;

/** RFC 9457. */
const DOCUMENT: ProblemForm = ({ retryAfter, ...problem }) => {
  const body = JSON.stringify(problem);
  return {
    status: problem.status,
    headers: {
      'content-type': 'application/problem+json',
      'content-length': String(Buffer.byteLength(body)),
      ...(retryAfter === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(retryAfter))) }),
    },
    body,
  };
};

/** Statuses that clients of EST know (enrolment-and-root-upgrade B.1), where they are others than ours. */
const EST_STATUS: Readonly<Record<number, number>> = { 409: 403, 422: 400 };
/** Conflicts that pass by themselves. */
const EST_AGAIN: ReadonlySet<ErrorCode> = new Set(['E_CONFLICT']);
/** Whole seconds: what every client of EST takes (B.2). */
const EST_RETRY = { least: 60, most: 172_800, byDefault: 300 };

/** Fields that every answer of EST carries beside its length (B.2): some clients decode nothing without it. */
export const EST_ENCODING = { 'content-transfer-encoding': 'base64' } as const;

/**
 * RFC 7030 4.2.3, RFC 8951 5: text for people. A challenge has none: BouncyCastle takes one that it does not read for a
 * broken connection.
 */
const EST: ProblemForm = ({ code, detail, requestId, retryAfter, status: ours }) => {
  const status = EST_AGAIN.has(code) ? 503 : (EST_STATUS[ours] ?? ours);
  const seconds = retryAfter ?? (status === 503 || status === 429 ? EST_RETRY.byDefault : undefined);
  const body = status === 401 ? '' : `${detail} (${code}, ${requestId})\n`;
  return {
    status,
    headers: {
      ...EST_ENCODING,
      'content-type': 'text/plain; charset=utf-8',
      'content-length': String(Buffer.byteLength(body)),
      ...(status === 401 ? { 'www-authenticate': 'Basic realm="est"' } : {}),
      ...(seconds === undefined
        ? {}
        : { 'retry-after': String(Math.min(EST_RETRY.most, Math.max(EST_RETRY.least, Math.ceil(seconds)))) }),
    },
    body,
  };
};

const EST_PREFIX = '/.well-known/est';

/** The form of refusals at a path. */
export function formOf(path: string): ProblemForm {
  return path === EST_PREFIX || path.startsWith(`${EST_PREFIX}/`) ? EST : DOCUMENT;
}
