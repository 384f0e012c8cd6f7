/** Published trust-bundle manifests, every version for ever (enrolment-and-root-upgrade A.4). */
export interface TrustBundleRow {
  /** Name of the bundle, e.g. `extranet`. */
  readonly bundle: string;
  readonly version: number;
  /** `sm3:<hex>` of the signed body. */
  readonly digest: string;
  /** The manifest file: canonical JSON, UTF-8. */
  readonly manifest: Buffer;
  readonly publishedBy: string;
  readonly publishedAt: Date;
  readonly lastAuditEvent: string;
}

export interface TrustBundleReader {
  latest(bundle: string): Promise<TrustBundleRow | undefined>;
  find(bundle: string, version: number): Promise<TrustBundleRow | undefined>;
  /** Versions from `from` on, in their order, at most `limit`. */
  from(bundle: string, from: number, limit: number): Promise<TrustBundleRow[]>;
}

export interface TrustBundleWriter extends TrustBundleReader {
  /** False when that version of the bundle is published already. */
  insert(row: TrustBundleRow): Promise<boolean>;
}
