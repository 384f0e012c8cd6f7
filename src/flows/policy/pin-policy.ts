import type { AuditSource } from '../../domain/audit/event.ts';
import { auditActor, type SystemCaller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import { POLICY_TARGET } from './change-policy.ts';

/**
 * Pins the policy set that a new instance begins with: from then on other files need an approved `policy.change`.
 * @throws KmcError E_CONFLICT when the instance has a policy in force already; E_STORAGE, E_AUDIT.
 */
export async function pinPolicy(
  ports: Pick<Instance, 'database' | 'clock' | 'policies' | 'policyDigest'>,
  { source }: { readonly source: AuditSource },
  caller: SystemCaller,
): Promise<void> {
  const now = ports.clock.now();
  const id = newId('ev', now);
  await ports.database.transaction(async (tx) => {
    if (!(await tx.instance.establish('policy-digest', ports.policyDigest))) {
      throw new KmcError('E_CONFLICT', 'A policy is in force already. Change it by an approved request policy.change.');
    }
    await tx.audit.append(
      {
        id,
        action: 'policy.pin',
        outcome: 'success',
        subjects: [{ type: 'policy', id: POLICY_TARGET, version: Number(ports.policies.version) }],
        actor: auditActor(caller),
        source,
        detail: { digest: ports.policyDigest, version: Number(ports.policies.version) },
      },
      now,
    );
  });
}
