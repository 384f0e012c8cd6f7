import { createHash } from 'node:crypto';
import { sm3 } from './gm/sm3.ts';

export interface NamedDigests {
  /** `sm3:<hex>` */
  readonly sm3: string;
  /** `sha256:<hex>` */
  readonly sha256: string;
}

/** SHA-256, 32 octets: for partners without SM3. */
export function sha256(octets: Buffer): Buffer {
  return createHash('sha256').update(octets).digest();
}

/** The two digests by which an object is named in records: SM3, and SHA-256 for partners without SM3. */
export function createDigests(octets: Buffer): NamedDigests {
  return {
    sm3: `sm3:${sm3(octets).toString('hex')}`,
    sha256: `sha256:${sha256(octets).toString('hex')}`,
  };
}
