/** The audit events of the service keystore. Its chain states the epoch as the version of the subject. */
import type { AuditAction } from '../audit/actions.ts';
import type { AuditActor, AuditEventInput, AuditSource, AuditSubject } from '../audit/event.ts';
import type { ErrorCode } from '../../errors.ts';
import type { JournalBody } from './journal-record.ts';

/** The subject of every event about the service keystore; the ceremony keystore is told of in its bundles. */
export const SERVICE_KEYSTORE_SUBJECT: AuditSubject = { type: 'keystore', id: 'service' };

export interface KeystoreEvent {
  /** newId('ev') */
  readonly id: string;
  readonly action: AuditAction & `keystore.${string}`;
  /** Epoch after the event. */
  readonly epoch: number;
  readonly actor: AuditActor;
  readonly source: AuditSource;
  /** Why not; the outcome is a failure then. */
  readonly code?: ErrorCode;
  readonly detail: Readonly<Record<string, string | number>>;
}

/** The audit event of something that happened to the service keystore. */
export function keystoreEvent(event: KeystoreEvent): AuditEventInput {
  const { id, action, epoch, actor, source, code, detail } = event;
  return {
    id,
    action,
    outcome: code === undefined ? 'success' : 'failure',
    ...(code === undefined ? {} : { code }),
    subjects: [{ ...SERVICE_KEYSTORE_SUBJECT, version: epoch }],
    actor,
    source,
    detail: { epoch, ...detail },
  };
}

/** The audit event that a change to the files brings with its database step, made of its journal record alone. */
export function changeEvent(body: JournalBody & Required<Pick<JournalBody, 'database'>>): AuditEventInput {
  const { id, action, actor, node, request } = body.database.event;
  return keystoreEvent({
    id,
    action,
    epoch: body.toEpoch,
    actor,
    source: { node, ...(request === undefined ? {} : { request }) },
    detail: {
      instance: body.instance,
      manifest: body.manifest,
      masterVersion: body.masterVersion,
      previousEpoch: body.toEpoch - 1,
      set: body.set,
      shares: body.shares,
      threshold: body.threshold,
    },
  });
}
