/**
 * What certification authorities asked over GM/T 0014 and were answered. A response holds private keys in envelopes only;
 * it is erased after its time, the request stays as evidence.
 */

export interface CaKmcExchangeRow {
  readonly authorityId: string;
  /** `sm3:<hex>` of the signed part of the request, DER. */
  readonly requestSm3: string;
  /** The signed part of the request, DER. */
  readonly request: Buffer;
  /** The whole response as it was sent, DER; absent once erased. */
  readonly response: Buffer | undefined;
  readonly answeredAt: Date;
  readonly eraseAt: Date;
}

export interface CaKmcExchangeReader {
  find(authorityId: string, requestSm3: string): Promise<CaKmcExchangeRow | undefined>;
}

export interface CaKmcExchangeWriter extends CaKmcExchangeReader {
  /** False when the same request was answered already. */
  insert(row: CaKmcExchangeRow): Promise<boolean>;
  /** Erases the responses whose time is over; returns how many. */
  eraseDue(now: Date): Promise<number>;
}
