import type { SubjectType } from '../../domain/audit/record.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import type { Expiring, ExpiringKind } from '../../domain/expiry.ts';
import { newId } from '../../domain/id.ts';
import { signedTime } from '../../domain/signed-body.ts';
import { findExpiring, type FindExpiringPorts } from './find-expiring.ts';

export interface RemindPorts extends FindExpiringPorts {
  readonly node: string;
}

/** What the event of a reminder is about. */
const SUBJECTS: Readonly<Record<ExpiringKind, SubjectType>> = {
  'device-certificate': 'certificate',
  'service-certificate': 'certificate',
  'person-certificate': 'person',
  authority: 'authority',
  crl: 'crl',
  'root-crl': 'crl',
  'trust-bundle': 'manifest',
};

async function remindOf(ports: RemindPorts, caller: Caller, expiring: Expiring, at: Date): Promise<boolean> {
  const { kind, id, name, endsAt } = expiring;
  const event = newId('ev', at);
  return await ports.database.transaction(async (tx) => {
    if (!(await tx.expirations.remember(expiring, at))) return false;
    await tx.audit.append(
      {
        id: event,
        action: 'expiry.remind',
        outcome: 'success',
        subjects: [{ type: SUBJECTS[kind], id }],
        actor: auditActor(caller),
        source: { node: ports.node },
        detail: { kind, name, notAfter: signedTime(endsAt) },
      },
      at,
    );
    return true;
  });
}

/**
 * Writes one event for each thing that came within its lead time: once for each end, however often it is looked at and by
 * however many processes.
 * @returns how many events were written.
 * @throws KmcError E_STORAGE, E_AUDIT.
 */
export async function remind(ports: RemindPorts, caller: Caller): Promise<number> {
  const at = ports.clock.now();
  let written = 0;
  for (const expiring of await findExpiring(ports)) {
    if (await remindOf(ports, caller, expiring, at)) written += 1;
  }
  return written;
}
