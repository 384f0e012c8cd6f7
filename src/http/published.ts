/** What the service publishes for everybody and mirrors may keep: octets with a strong ETag. */
import type { Reply, RequestContext } from './route.ts';

export interface Publication {
  /** Media type. */
  readonly type: string;
  readonly body: Buffer;
  /** `sm3:<hex>` of the body, or of what determines it. */
  readonly digest: string;
  /** Value of Cache-Control. */
  readonly cache: string;
}

/** The publication, or 304 when the caller has it already. */
export function published(
  context: Pick<RequestContext<unknown, unknown, unknown>, 'header'>,
  { type, body, digest, cache }: Publication,
): Reply {
  const etag = `"${digest.replace(':', '-')}"`;
  const headers = { etag, 'cache-control': cache };
  if (context.header('if-none-match') === etag) return { status: 304, headers };
  return { status: 200, headers, bytes: { type, body } };
}
