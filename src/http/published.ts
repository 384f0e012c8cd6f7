/** What everybody may fetch and keep for a while: strong ETag, conditional requests, how long it may be kept (RFC 9110 13, RFC 9111). */
import type { Reply, RequestContext } from './route.ts';

export interface Published {
  /** Media type. */
  readonly type: string;
  readonly body: Buffer;
  /** `sm3:<hex>` of the body. */
  readonly digest: string;
  /** Seconds for which it may be used without asking again. */
  readonly maxAge: number;
  /** Never changes: need not be asked for again while it is kept (RFC 8246). */
  readonly immutable?: boolean;
  /** For this caller alone: no mirror keeps it. */
  readonly private?: boolean;
  readonly lastModified?: Date;
  readonly expires?: Date;
}

type Conditions = Pick<RequestContext<unknown, unknown, unknown>, 'header'>;

function wholeSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

/** True when the caller has it already. If-Modified-Since counts only without If-None-Match (RFC 9110 13.1.3). */
function isUnchanged({ header }: Conditions, etag: string, lastModified: Date | undefined): boolean {
  const tags = header('if-none-match');
  if (tags !== undefined) {
    return tags
      .split(',')
      .map((tag) => tag.trim().replace(/^W\//, ''))
      .some((tag) => tag === etag || tag === '*');
  }
  const since = Date.parse(header('if-modified-since') ?? '');
  return lastModified !== undefined && !Number.isNaN(since) && wholeSeconds(lastModified) * 1000 <= since;
}

/** The answer: 200 with the octets, or 304 when the caller has them. */
export function publishedReply(context: Conditions, published: Published): Reply {
  const { type, body, digest, maxAge, immutable, lastModified, expires } = published;
  const kept = published.private === true ? 'private' : 'public';
  const afterwards = immutable === true ? 'immutable' : 'must-revalidate';
  const etag = `"${digest.replace(':', '-')}"`;
  const headers = {
    etag,
    'cache-control': `${kept}, max-age=${Math.max(0, Math.floor(maxAge))}, ${afterwards}, no-transform`,
    ...(lastModified === undefined ? {} : { 'last-modified': lastModified.toUTCString() }),
    ...(expires === undefined ? {} : { expires: expires.toUTCString() }),
  };
  if (isUnchanged(context, etag, lastModified)) return { status: 304, headers };
  return { status: 200, headers, bytes: { type, body } };
}
