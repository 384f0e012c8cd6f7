/** The audit events of break-glass: one chain for each session, so that its first event, its last and all between belong together. */
import type { AuditAction } from '../../domain/audit/actions.ts';
import type { AuditActor, AuditEventInput, AuditSource } from '../../domain/audit/event.ts';

export interface GlassEvent {
  /** Made before the transaction. */
  readonly id: string;
  readonly action: AuditAction;
  readonly session: string;
  readonly actor: AuditActor;
  readonly source: AuditSource;
  readonly detail: AuditEventInput['detail'];
}

/** An event in the chain of a session. */
export function glassEvent({ session, ...event }: GlassEvent): AuditEventInput {
  return { ...event, outcome: 'success', subjects: [{ type: 'break-glass', id: session }] };
}
