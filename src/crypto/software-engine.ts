import type { CryptoEngine } from './engine.ts';
import { runSelfTest } from './self-test.ts';
import { envelopeOperations } from './software-engine/envelopes.ts';
import { bulkOperations } from './software-engine/bulk.ts';
import { dataOperations } from './software-engine/data.ts';
import { createEngineState } from './software-engine/handles.ts';
import { keyOperations } from './software-engine/keys.ts';
import { sealingOperations } from './software-engine/sealing.ts';
import { secretOperations } from './software-engine/secrets.ts';
import { shareOperations } from './software-engine/shares.ts';

export interface SoftwareEngineOptions {
  /** The time that new blobs state as `createdAt`; the system clock unless told. */
  readonly now?: () => Date;
}

/**
 * The built-in engine: keys and secrets in this process, reachable through the handles of this very engine only and
 * wiped when they are destroyed. It holds nothing at first; run `selfTest` before it gets a key.
 */
export function createSoftwareEngine({ now = () => new Date() }: SoftwareEngineOptions = {}): CryptoEngine {
  const state = createEngineState();
  return Object.freeze({
    name: 'software',
    selfTest: () => runSelfTest(),
    ...keyOperations(state),
    ...envelopeOperations(state),
    ...secretOperations(state),
    ...dataOperations(state),
    ...sealingOperations(state, now),
    ...shareOperations(state),
    ...bulkOperations(state, now),
  });
}
