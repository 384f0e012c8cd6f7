import { newId } from '../../domain/id.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import type { EscrowedKeyRow } from '../ports/escrowed-keys.ts';

/**
 * Records at once that an escrowed key does not open or is another key than its row says: in the audit log, and in the
 * list that status, metrics and the pool look at. A fault that is known already is not told twice.
 * @returns false when it was known.
 * @throws KmcError E_SEALED, E_STORAGE, E_AUDIT.
 */
export async function recordKeyFault(
  ports: Pick<Instance, 'database' | 'clock' | 'node'>,
  key: EscrowedKeyRow,
  code: ErrorCode,
): Promise<boolean> {
  const at = ports.clock.now();
  const auditEvent = newId('ev', at);
  return await ports.database.transaction(async (tx) => {
    if (!(await tx.keyFaults.insert({ keyId: key.id, code, foundAt: at, auditEvent }))) return false;
    await tx.audit.append(
      {
        id: auditEvent,
        action: 'key.broken',
        outcome: 'failure',
        code,
        subjects: [{ type: 'key', id: key.id }],
        actor: { type: 'system', id: ports.node },
        source: { node: ports.node },
        detail: { algorithm: key.algorithm, kid: key.spkiSm3, kekVersion: key.kekVersion, from: key.state },
      },
      at,
    );
    return true;
  });
}
