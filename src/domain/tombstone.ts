/** What is kept of a destroyed key (security-and-faults 3.4): evidence, and an honest statement of what it proves. */
import { canonicalizeSigned } from '../crypto/jcs.ts';
import { sm3 } from '../crypto/gm/sm3.ts';

const SCHEMA = 'kmc.key-tombstone/1';

/**
 * Overwriting proves nothing on today's media. What makes old copies worthless is that the key-encryption key is destroyed,
 * here and in the backups.
 */
const METHOD =
  'The sealed key was removed from its row. Copies of the row in backups and in the free space of media remain ciphertext ' +
  'under the key-encryption key named here until that key is destroyed and the backups that hold it have expired.';

export interface TombstoneFacts {
  readonly key: string;
  readonly kid: string;
  readonly algorithm: string;
  /** Sealings that the key went through. */
  readonly objectVersion: string;
  /** The key-encryption key of the last one, e.g. `escrow-store-2`. */
  readonly kek: string;
  /** Blobs that are left under it. */
  readonly blobsLeft: string;
  readonly authority: string;
  readonly serialNumber: string;
  readonly batch: string;
  /** The event that opened the window, and the request that people approved. */
  readonly scheduledBy: string;
  readonly request: string;
  readonly scheduledAt: string;
  readonly compromised: boolean;
  readonly destroyedAt: string;
  readonly instance: string;
  readonly node: string;
}

export interface Tombstone {
  /** Canonical JSON. */
  readonly text: string;
  /** `sm3:<hex>` */
  readonly digest: string;
}

/** The tombstone over these facts. */
export function tombstoneOf(facts: TombstoneFacts): Tombstone {
  const text = canonicalizeSigned({ schema: SCHEMA, ...facts, method: METHOD });
  return { text, digest: `sm3:${sm3(Buffer.from(text, 'utf8')).toString('hex')}` };
}
