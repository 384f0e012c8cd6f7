import type { AuditEventInput } from '../../domain/audit/event.ts';
import { auditActor, type Caller } from '../../domain/caller.ts';
import { newId } from '../../domain/id.ts';
import { signedTime } from '../../domain/signed-body.ts';
import type { Certificate } from '../../x509/certificate.ts';
import type { DatedEvent } from '../ports/audit.ts';
import type { CertificateRow } from '../ports/certificates.ts';

/** What one appendAll takes. */
const EVENTS_TOGETHER = 50;

export interface InventoryImport {
  /** Id of the authority. */
  readonly authority: string;
  readonly node: string;
  readonly caller: Caller;
  readonly at: Date;
}

/**
 * The events that tell of an inventory that comes in as a whole: one for all certificates of a profile and status that end
 * on the same day (UTC), with their number. In parts that are appended one after the other.
 */
export function inventoryEvents(
  { authority, node, caller, at }: InventoryImport,
  { keyAlgorithm }: Pick<Certificate, 'keyAlgorithm'>,
  rows: readonly CertificateRow[],
): readonly (readonly DatedEvent[])[] {
  const groups = new Map<string, { readonly first: CertificateRow; count: number }>();
  for (const row of rows) {
    const key = [row.profile, row.status, signedTime(row.notAfter).slice(0, 10)].join(' ');
    const group = groups.get(key) ?? { first: row, count: 0 };
    group.count += 1;
    groups.set(key, group);
  }
  const events = [...groups.values()].map(({ first, count }): DatedEvent => {
    const event: AuditEventInput = {
      id: newId('ev', at),
      action: 'certificate.import',
      outcome: 'success',
      subjects: [{ type: 'authority', id: authority }],
      actor: auditActor(caller),
      source: { node },
      detail: {
        authority,
        algorithm: keyAlgorithm,
        count,
        from: first.status,
        notAfter: signedTime(first.notAfter),
        profile: first.profile,
      },
    };
    return { event, at };
  });
  const parts: DatedEvent[][] = [];
  for (let start = 0; start < events.length; start += EVENTS_TOGETHER) {
    parts.push(events.slice(start, start + EVENTS_TOGETHER));
  }
  return parts;
}
