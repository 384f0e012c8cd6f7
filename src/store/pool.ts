/** What is used of knex beyond its builder: the pool of raw connections under it. */

/** A knex client, as far as it hands out the connections of its driver. */
export interface RawPool<RawConnection> {
  acquireConnection(): Promise<RawConnection>;
  releaseConnection(connection: RawConnection): void;
}

const ignore = (): void => undefined;

/** knex reports nothing by itself: every fault reaches the caller as an error. */
export const SILENT_LOG = { warn: ignore, error: ignore, deprecate: ignore, debug: ignore };
