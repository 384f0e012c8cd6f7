import { parseAuditRecord } from '../../domain/audit/record.ts';
import { SERVICE_KEYSTORE_SUBJECT } from '../../domain/keystore/keystore-event.ts';
import type { AuditReader } from '../ports/audit.ts';

const PAGE = 1000;

export interface KeystoreAuditState {
  /** Epoch in the newest event about the service keystore; 0 while there is none. */
  readonly epoch: number;
  /** `sm3:<hex>` of the manifest that the newest change made. */
  readonly manifest: string | undefined;
}

/** What the audit log says of the service keystore, independent of the rows that hold its state. */
export async function keystoreAuditState(audit: Pick<AuditReader, 'history'>): Promise<KeystoreAuditState> {
  const { type, id } = SERVICE_KEYSTORE_SUBJECT;
  let epoch = 0;
  let manifest: string | undefined;
  for (let from = 0; ; from += PAGE) {
    const rows = await audit.history(type, id, from, PAGE);
    for (const { canon } of rows) {
      const { det, subj } = parseAuditRecord(canon);
      epoch = subj.find((link) => link.t === type && link.tag === id)?.ver ?? 0;
      if (typeof det['manifest'] === 'string') manifest = det['manifest'];
    }
    if (rows.length < PAGE) return { epoch, manifest };
  }
}
