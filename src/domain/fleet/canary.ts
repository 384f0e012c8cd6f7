/** The canary of a root generation (A.5): a leaf whose alternative name is a nonce, good for a day. */

/** The alternative name of the leaf of a challenge. */
export function canaryName(nonce: string): string {
  return `${nonce}.canary.invalid`;
}
