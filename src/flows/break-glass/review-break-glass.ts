import { auditText } from '../../domain/audit/detail.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { holdsRoleIn } from '../../domain/person.ts';
import { KmcError } from '../../errors.ts';
import type { Instance } from '../instance.ts';
import { glassEvent } from './glass-event.ts';
import { reportBreakGlass } from './report-break-glass.ts';

export interface ReviewInput {
  readonly session: string;
  /** `sm3:<hex>` of the report as the auditor has it. */
  readonly report: string;
  /** For people: what the review found. */
  readonly findings: string;
  readonly requestId: string;
}

/**
 * Records that an auditor has reviewed the report of a session; two different ones must within 72 hours.
 * @throws KmcError E_FORBIDDEN (no auditor), E_NOT_FOUND, E_STATE (it lasts), E_STALE (another report), E_SAME_PERSON.
 */
export async function reviewBreakGlass(
  ports: Pick<Instance, 'database' | 'clock' | 'environmentName' | 'node'>,
  caller: Caller,
  { session, report, findings, requestId }: ReviewInput,
): Promise<void> {
  if (caller.type !== 'person' || !holdsRoleIn(caller, 'auditor')) {
    throw new KmcError('E_FORBIDDEN', 'Auditors review a break-glass session.');
  }
  if ((await reportBreakGlass(ports, session)).digest !== report) {
    throw new KmcError('E_STALE', 'The report of the session is another one. Take it from the service and verify it.');
  }
  const at = ports.clock.now();
  const id = newId('ev', at);
  await ports.database.transaction(async (tx) => {
    if (!(await tx.breakGlass.review({ session, person: caller.id, report, findings, at }))) {
      throw new KmcError('E_SAME_PERSON', 'You have reviewed this session already; another auditor must.');
    }
    const event = { id, action: 'breakglass.review', session, actor: auditActor(caller, 'auditor') } as const;
    const source = { node: ports.node, request: requestId };
    await tx.audit.append(glassEvent({ ...event, source, detail: { digest: report, note: auditText(findings) } }), at);
  });
}
