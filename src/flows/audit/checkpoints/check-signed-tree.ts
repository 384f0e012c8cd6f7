import { sm3 } from '../../../crypto/gm/sm3.ts';
import { parseNote } from '../../../domain/audit/checkpoint.ts';
import { CompactRange } from '../../../domain/audit/tree.ts';
import { KmcError } from '../../../errors.ts';
import type { AuditSignerState } from '../../ports/audit.ts';
import type { Database } from '../../ports/database.ts';

/** Few enough that hashing them does not hold other work up. */
const LEAVES_AT_ONCE = 4_096;

/**
 * Hashes the whole stored tree anew, from its leaves, and compares it with what the signer signed last: signCheckpoint
 * trusts stored tiles for that. For the start of a signing process.
 * @throws KmcError E_AUDIT, fatal, when the tree was altered; E_STORAGE.
 */
export async function checkSignedTree(ports: {
  readonly database: Pick<Database, 'read'>;
  readonly signerState: AuditSignerState;
}): Promise<void> {
  const state = await ports.signerState.load();
  if (state === undefined) return;
  const range = new CompactRange(sm3);
  while (range.size < state.size) {
    const wanted = Math.min(LEAVES_AT_ONCE, state.size - range.size);
    const leaves = await ports.database.read(({ audit }) => audit.leaves(range.size, wanted));
    if (leaves.length === 0) break;
    for (const leaf of leaves) range.append(leaf);
  }
  if (range.size === state.size && range.root().equals(parseNote(state.note).checkpoint.root)) return;
  throw new KmcError(
    'E_AUDIT',
    "The stored audit log is not the one that was signed. Seal, and restore it from the auditor's copy.",
    { fatal: true },
  );
}
