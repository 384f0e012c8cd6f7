/**
 * The row MAC over the engine. What is appended while the keystore is sealed has none: the registry names the few actions
 * this is allowed for, so that the rows somebody could forge in the database are start, unseal and refusal events and
 * never an act on a key, a certificate or a person. Those rows are still held by the chain of their subject (a row taken
 * away leaves a gap once the next one is written), by the receipts of the process (OutstandingReceipts), and from the
 * first checkpoint after unsealing by the tree, like every other.
 */
import type { CryptoEngine, KeyEncryptionKey } from '../../../crypto/engine.ts';
import type { AuditRowMac } from '../../ports/audit.ts';

/** The audit-mac keys of the open keystore; none while it is sealed. */
export interface AuditMacKeys {
  current(): KeyEncryptionKey | undefined;
  version(version: number): KeyEncryptionKey | undefined;
}

/** HMAC-SM3 through the engine: the key never leaves it. */
export function createRowMac(engine: CryptoEngine, keys: AuditMacKeys): AuditRowMac {
  return {
    async compute(message) {
      const key = keys.current();
      return key === undefined ? undefined : { mac: await engine.mac(key.secret, message), version: key.version };
    },
    async verify(message, { mac, version }) {
      const key = keys.version(version);
      return key === undefined ? undefined : await engine.verifyMac(key.secret, message, mac);
    },
  };
}
