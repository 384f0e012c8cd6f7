/** CRLs as they were published. A number is used once in its scope. */

export interface CrlRow {
  readonly authorityId: string;
  /** `complete`, `delta`, or the code of a shard. */
  readonly scope: string;
  readonly number: bigint;
  /** DER. */
  readonly crl: Buffer;
  readonly crlSm3: string;
  readonly entries: number;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  readonly source: 'issued' | 'imported';
}

/** A CRL without its octets. */
export type CrlFacts = Omit<CrlRow, 'crl'>;

export interface CrlReader {
  /** The one with the highest number in its scope. */
  latest(authorityId: string, scope: string): Promise<CrlRow | undefined>;
  /** The same without its octets. */
  latestFacts(authorityId: string, scope: string): Promise<CrlFacts | undefined>;
  /** The scopes of which the authority has CRLs, in their order. */
  scopes(authorityId: string): Promise<string[]>;
  find(authorityId: string, scope: string, number: bigint): Promise<CrlRow | undefined>;
}

export interface CrlWriter extends CrlReader {
  /** False when the number was used in that scope. */
  insert(row: CrlRow): Promise<boolean>;
}
