import { parseAuditRecord } from '../../domain/audit/record.ts';
import { SERVICE_KEYSTORE_SUBJECT } from '../../domain/keystore/keystore-event.ts';
import type { AuditReader } from '../ports/audit.ts';

const PAGE = 1000;

/** The epoch in the newest audit event about the service keystore; 0 while there is none. */
export async function keystoreAuditEpoch(audit: Pick<AuditReader, 'history'>): Promise<number> {
  const { type, id } = SERVICE_KEYSTORE_SUBJECT;
  let epoch = 0;
  for (let from = 0; ; from += PAGE) {
    const rows = await audit.history(type, id, from, PAGE);
    const newest = rows.at(-1);
    if (newest !== undefined) {
      epoch = parseAuditRecord(newest.canon).subj.find((link) => link.t === type && link.tag === id)?.ver ?? 0;
    }
    if (rows.length < PAGE) return epoch;
  }
}
