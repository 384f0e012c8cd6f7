/**
 * The number of a CRL as a detail of an audit event. The numbers of some legacy CAs are too large for a count (RFC 5280
 * 5.2.3 allows 20 octets): then the digest alone names the CRL.
 */
export function crlNumberDetail(number: bigint): { readonly crlNumber?: number } {
  return number <= BigInt(Number.MAX_SAFE_INTEGER) ? { crlNumber: Number(number) } : {};
}
